// A dump as the page needs it: columns, as `html/columns.rs` writes them, and what is worked out once.

/** Whose frames the crates are that one can filter by: what is in every trace tells nothing. */
const CRATES_OF = new Set(['user', 'library', 'unknown']);

class Dump {
  /** From the columns of the page. */
  constructor(columns) {
    Object.assign(this, columns);
    this.size = this.tasks.id.length;
    this.lower = this.strings.map((text) => text.toLowerCase());
    this.late = new Map(this.tasks.late);
    this.threads = new Map(this.tasks.threads.map(([at, name, id]) => [at, { name, id }]));
    this.byId = new Map(this.tasks.id.map((id, at) => [id, at]));
    this.members = listsOf(this.tasks.group, this.groups);
    this.family();
    this.texts = {};
    this.groupKeys = [];
    this.cratesOf = this.traces.map((trace) => this.cratesIn(trace));
  }

  /** From the columns of another page, which another build may have written. Throws if they are not those of a dump. */
  static ofAnswer(columns) {
    if (columns?.format !== 'backtrace-waker page') throw new Error('it is no task dump');
    if (columns.version !== 1) throw new Error(`it is of version ${columns.version}, of which this page knows nothing`);
    // What to call the program is asked once.
    return new Dump({ ...columns, subject: null });
  }

  text(number) {
    return number === null ? null : this.strings[number];
  }

  state(task) {
    return this.strings[this.tasks.state[task]];
  }

  /** A name as people write it, or what is shown instead. */
  functionOf(frame) {
    const { function: name, short, address } = this.frames;
    return this.strings[short[frame] ?? name[frame] ?? address[frame]];
  }

  /** `src/main.rs:3:5`, or nothing. */
  position(frame) {
    const { file, line, column } = this.frames;
    if (file[frame] === null) return '';
    return [shortened(this.strings[file[frame]]), line[frame], column[frame]].filter((part) => part !== null).join(':');
  }

  spawnedAt(task) {
    const place = this.tasks.place[task];
    const { file, line, column } = this.places;
    if (this.strings[file[place]] === '') return 'a place that is not known';
    return `${shortened(this.strings[file[place]])}:${line[place]}:${column[place]}`;
  }

  /** `17 "connection"`. */
  nameOf(task) {
    const name = this.text(this.tasks.name[task]);
    return name === null ? String(this.tasks.id[task]) : `${this.tasks.id[task]} "${shortened(name, 120)}"`;
  }

  threadOf(task) {
    const thread = this.threads.get(task);
    if (!thread) return '';
    const id = thread.id === null ? '' : `thread ${thread.id}`;
    if (thread.name === null) return id || 'a thread without a name';
    return `"${shortened(this.strings[thread.name], 120)}"${id && ` (${id})`}`;
  }

  /** For how long tasks have been suspended: up to a request's poll, where no other had come for a second or longer. */
  suspended(tasks, shortest, longest) {
    const late = tasks.filter((task) => this.late.has(task));
    if (late.length === 0) return `for ${spans(shortest, longest)}`;
    const range = (times) => spans(...times.reduce(([low, high], time) => [Math.min(low, time), Math.max(high, time)], [Infinity, 0]));
    const ago = late.map((task) => this.late.get(task));
    const byDump = Math.min(...ago) <= this.took_ms;
    const polled = `until ${byDump ? 'this dump' : 'a request'} polled ${late.length === 1 ? 'it' : 'them'}`;
    const since = byDump ? '' : `, ${range(ago)} ago`;
    if (late.length < tasks.length) return `for ${spans(shortest, longest)}, ${grouped(late.length)} of them ${polled}${since}`;
    return `for ${range(late.map((task) => this.tasks.in_state[task] - this.late.get(task)))} ${polled}${since}`;
  }

  /** Why a task has no trace. */
  noTrace(task) {
    return noTraceInWords(this.text(this.tasks.no_trace[task]), this.state(task), this.late.has(task));
  }

  /** For how long tasks have been in their state, or how long they had been when they ended; '' where that is not known. */
  wait(tasks, shortest, longest) {
    if (longest === null) return '';
    if (!Object.hasOwn(ENDED, this.state(tasks[0]))) return this.suspended(tasks, shortest, longest);
    if (!tasks.some((task) => this.late.has(task))) return '';
    const [them, polls] = tasks.length === 1 ? ['it', 'its last poll'] : ['them', 'their last polls'];
    return `when this dump polled ${them}, ${spans(shortest, longest)} after ${polls}`;
  }

  /** Who is whose child. Whoever is not below a root after all, as data from elsewhere has circles, becomes one. */
  family() {
    const { parent } = this.tasks;
    const parents = parent.map((id) => (id === null ? -1 : (this.byId.get(id) ?? -1)));
    this.children = new Map();
    this.roots = [];
    parents.forEach((of, task) => {
      if (of < 0) this.roots.push(task);
      else if (this.children.has(of)) this.children.get(of).push(task);
      else this.children.set(of, [task]);
    });
    const reached = new Uint8Array(this.size);
    const reach = (root) => {
      const ahead = [root];
      while (ahead.length > 0) {
        const task = ahead.pop();
        if (reached[task]) continue;
        reached[task] = 1;
        for (const child of this.children.get(task) ?? []) ahead.push(child);
      }
    };
    this.roots.forEach(reach);
    for (let task = 0; task < this.size; task++) {
      if (reached[task]) continue;
      const siblings = this.children.get(parents[task]).filter((child) => child !== task);
      if (siblings.length > 0) this.children.set(parents[task], siblings);
      else this.children.delete(parents[task]);
      parents[task] = -1;
      this.roots.push(task);
      reach(task);
    }
    this.parents = parents;
  }

  /** A trace as this much detail shows it. What can be worked out of it is kept with it. */
  view(trace, detail) {
    const view = this.traces[trace][detail];
    if (!view.children) {
      view.roots = [];
      view.children = view.frame.map(() => []);
      view.parent.forEach((parent, node) => (parent === null ? view.roots : view.children[parent]).push(node));
    }
    return view;
  }

  /** In one line, where a trace waits: the program's last function, and what it waits in. */
  where(trace) {
    const view = this.view(trace, 'user');
    if (view.where) return view.where;
    const leaves = view.frame.map((_, node) => node).filter((node) => view.children[node].length === 0);
    if (leaves.length === 0) return (view.where = { at: '', text: 'nothing: it did not clone its waker', file: '' });
    const leaf = leaves[0];
    let user = leaf;
    const isUsers = (node) => this.strings[this.frames.class[view.frame[node]]] === 'user';
    while (!isUsers(user) && view.parent[user] !== null) user = view.parent[user];
    if (!isUsers(user)) user = leaf;
    // In one line, what it is called is enough: `hyper::body::Incoming::poll_frame`.
    const brief = (text) => text.replace(/^async (fn|block in) /, '').replace(/^<(.+) as [^<>]+(?:<.*>)?>::/, '$1::');
    const name = (node) => brief(shortened(this.functionOf(view.frame[node])));
    const more = leaves.length > 1 ? ` and ${grouped(leaves.length - 1)} more` : '';
    const spent = view.marks[leaf] & 16 ? ' (runnable: its budget is spent)' : view.marks[leaf] & 64 ? " (the task's type)" : '';
    const text = (user === leaf ? name(leaf) : `${name(user)} → ${name(leaf)}`) + more + spent;
    return (view.where = { text, at: this.position(view.frame[user]) });
  }

  /** Crates of the functions in a trace, as numbers of strings. */
  cratesIn(trace) {
    const { owner, class: of } = this.frames;
    const crates = new Set();
    for (const frame of trace.library.frame) {
      if (owner[frame] !== null && CRATES_OF.has(this.strings[of[frame]])) crates.add(owner[frame]);
    }
    return crates;
  }

  /** What is searched of each trace: its functions and files, in small letters. */
  searched(detail) {
    const which = detail === 'full' ? 'full' : 'library';
    const { function: name, short, address, file, line } = this.frames;
    this.texts[which] ??= this.traces.map((trace) => {
      const text = (frame) => {
        const names = [name[frame], short[frame], address[frame]].filter((of) => of !== null);
        const at = file[frame] === null ? '' : `${this.lower[file[frame]]}:${line[frame] ?? ''}`;
        return `${names.map((of) => this.lower[of]).join('\n')}\n${at}`;
      };
      return [...new Set(trace[which].frame)].map(text).join('\n');
    });
    return this.texts[which];
  }

  /** What stays the same of a group from dump to dump. */
  groupKey(group) {
    return (this.groupKeys[group] ??= this.makeGroupKey(group));
  }

  makeGroupKey(group) {
    const task = this.members[group][0];
    const { trace, no_trace: reason, id } = this.tasks;
    const state = this.state(task);
    if (trace[task] === null) {
      return `g ${state} ${this.text(reason[task])} ${state === 'polling' ? id[task] : this.spawnedAt(task)}`;
    }
    const view = this.view(trace[task], 'user');
    const line = (node) => `${view.parent[node]} ${this.functionOf(view.frame[node])} ${this.position(view.frame[node])}`;
    return `g ${state} ${view.frame.map((_, node) => line(node)).join('\n')}`;
  }
}

/** For each of so many values, the indices at which it stands. */
function listsOf(values, count) {
  const lists = Array.from({ length: count }, () => []);
  values.forEach((value, at) => lists[value].push(at));
  return lists;
}

