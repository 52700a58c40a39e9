// Which tasks pass: search, and filters by state, times and crate.

/** What one can ask for at least, in milliseconds. */
const AT_LEAST = [
  [0, 'any time'],
  [1_000, '1 s or more'],
  [10_000, '10 s or more'],
  [60_000, '1 min or more'],
  [600_000, '10 min or more'],
  [3_600_000, '1 h or more'],
  [86_400_000, '1 d or more'],
];

/** More crates nobody looks through; the search finds the others. */
const MOST_CRATES = 300;

/** Everything passes. */
function noFilters() {
  return { words: [], states: new Set(), inState: 0, age: 0, crate: null };
}

function isFiltering(filters) {
  return filters.words.length > 0 || filters.states.size > 0 || filters.inState > 0 || filters.age > 0 || filters.crate !== null;
}

/** Words of a search. All have to be found, each anywhere: in functions, in names, in files; `#17` is the task of that number. */
function wordsOf(search) {
  return search.toLowerCase().split(/\s+/).filter((word) => word !== '');
}

/** For each task 1 if it passes. Each distinct string and trace is looked at once, however many tasks have it. */
function passing(dump, filters, detail) {
  const { tasks, size } = dump;
  const passes = new Uint8Array(size).fill(1);
  const keepIf = (keeps) => {
    for (let task = 0; task < size; task++) if (passes[task] && !keeps(task)) passes[task] = 0;
  };
  if (filters.states.size > 0) {
    const wanted = dump.strings.map((text) => filters.states.has(text));
    keepIf((task) => wanted[tasks.state[task]]);
  }
  // What has no time has not been there for long.
  if (filters.inState > 0) keepIf((task) => tasks.in_state[task] >= filters.inState);
  if (filters.age > 0) keepIf((task) => tasks.age[task] >= filters.age);
  if (filters.crate !== null) {
    const wanted = dump.cratesOf.map((crates) => [...crates].some((of) => dump.strings[of] === filters.crate));
    keepIf((task) => tasks.trace[task] !== null && wanted[tasks.trace[task]]);
  }
  for (const word of filters.words) {
    if (/^#\d+$/.test(word)) {
      keepIf((task) => `#${tasks.id[task]}` === word);
      continue;
    }
    const inString = dump.lower.map((text) => text.includes(word));
    const inTrace = dump.searched(detail).map((text) => text.includes(word));
    const { file, line } = dump.places;
    const inPlace = file.map((of, place) => inString[of] || `${dump.lower[of]}:${line[place]}`.includes(word));
    keepIf(
      (task) =>
        (tasks.name[task] !== null && inString[tasks.name[task]]) ||
        inPlace[tasks.place[task]] ||
        (tasks.trace[task] !== null && inTrace[tasks.trace[task]]) ||
        inString[dump.threads.get(task)?.name],
    );
  }
  return passes;
}

/** How many tasks are in each state, in the order in which they are shown. */
function statesOf(dump) {
  const counts = new Map();
  for (const state of dump.tasks.state) counts.set(state, (counts.get(state) ?? 0) + 1);
  const order = Object.keys(STATES);
  const place = (state) => (order.includes(state) ? order.indexOf(state) : order.length);
  return [...counts].map(([state, count]) => [dump.strings[state], count]).sort(([a], [b]) => place(a) - place(b));
}

/** How many tasks have a function of each crate in their traces, the most frequent of them first. */
function cratesOf(dump) {
  const ofTrace = new Array(dump.traces.length).fill(0);
  for (const trace of dump.tasks.trace) if (trace !== null) ofTrace[trace]++;
  const counts = new Map();
  dump.cratesOf.forEach((crates, trace) => {
    for (const of of crates) counts.set(of, (counts.get(of) ?? 0) + ofTrace[trace]);
  });
  const named = [...counts].map(([of, count]) => [dump.strings[of], count]);
  return named.sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, MOST_CRATES);
}

