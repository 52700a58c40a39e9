// What numbers, names and states look like. Nothing here touches the page but `element`.

/**
 * Control characters, what changes the direction of text, what cannot be seen, and halves of characters: the same that
 * `escape.rs` escapes. Shown as they are, they would make text look like other text.
 */
const DANGEROUS = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\ufff0-\ufffb\ufffe\uffff]/gu;

/** Longer names and paths are cut in the middle, in a row and where the whole of them is told. */
const ROW_CHARACTERS = 300;
const TITLE_CHARACTERS = 4000;

/** Text of the program, as it can be shown. */
function escaped(text) {
  return text.replace(DANGEROUS, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

/** The same, of at most so many characters. */
function shortened(text, most = ROW_CHARACTERS) {
  if (text.length <= most) return escaped(text);
  const half = most >> 1;
  const isHalf = (at) => (text.charCodeAt(at) & 0xfc00) === 0xdc00;
  const head = isHalf(half) ? half - 1 : half;
  const tail = isHalf(text.length - half) ? text.length - half + 1 : text.length - half;
  return `${escaped(text.slice(0, head))}…(${grouped(tail - head)} more)…${escaped(text.slice(tail))}`;
}

/** `1,040`. */
function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 task`, `1,040 tasks`. */
function plural(number, noun) {
  return `${grouped(number)} ${noun}${number === 1 ? '' : 's'}`;
}

/** Milliseconds as `0.3 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`, as the text has them. */
function span(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s}.${Math.floor((ms % 1000) / 100)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${grouped(Math.floor(s / 86400))} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** `0.3 s to 2 h 5 min`, or one of them, or nothing. */
function spans(shortest, longest) {
  if (longest === null) return '';
  const [from, to] = [span(shortest), span(longest)];
  return from === to ? to : `${from} to ${to}`;
}

/** States in the order in which they are filtered by: what is wrong first. */
const STATES = {
  panicked: 'panicked',
  polling: 'being polled',
  woken: 'woken but not polled',
  suspended: 'suspended',
  never_polled: 'never polled',
  finished: 'finished',
  dropped: 'dropped',
};

function stateInWords(state) {
  return Object.hasOwn(STATES, state) ? STATES[state] : shortened(state);
}

/** Why a task has no trace. `html/tests.rs` compares them with what the text says. */
const NO_TRACE = {
  never_polled: 'it has never been polled, so it waits nowhere yet',
  not_polled: 'it was asked, but its poll did not come, or did not end, before the deadline',
  not_asked: 'the deadline passed before it could be asked',
  over: 'it is over',
  asks_itself: 'the dump was asked for in its own poll, which cannot end before the dump does',
  no_timer: 'nobody was asked: the thread that keeps deadlines could not be started',
  running: 'a thread polls it, and the stack of that thread could not be read',
  queued: 'it is in the queue of its executor, and was not polled since it came there',
  aborted: 'it was aborted, and its executor has not dropped it yet',
  retained: 'it has finished, and something keeps it, such as its JoinHandle',
  moved: 'it ran while its memory was read',
  incomplete: 'its poll could not be emulated',
};

/** How a task ended that was there when the dump began. */
const ENDED = {
  finished: 'finished while the dump was taken, so it waits for nothing any more',
  panicked: 'panicked while the dump was taken',
  dropped: 'dropped while the dump was taken',
};

function noTraceInWords(reason, state, polledLate) {
  // A trace that nobody symbolized.
  if (reason === null) return 'its frames are not in this dump';
  if (reason === 'not_polled' && state === 'polling') {
    return 'this poll has not returned, so the task blocks or computes on that thread; a debugger shows where';
  }
  if (reason === 'not_polled' && state === 'woken') {
    return 'a dump woke it, and its executor has not polled it since; is every thread of it blocked, or does it not run?';
  }
  if (reason === 'over' && polledLate) return 'woken at that moment, or its wake had been lost';
  if (reason === 'over' && Object.hasOwn(ENDED, state)) return ENDED[state];
  return Object.hasOwn(NO_TRACE, reason) ? NO_TRACE[reason] : shortened(reason);
}

/**
 * An element with properties, of which those with a dash and `role` are attributes, and children: elements, or texts, which
 * become text and nothing else.
 */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === 'role' || name.includes('-')) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

