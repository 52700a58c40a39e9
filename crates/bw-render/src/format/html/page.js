// The page: what is chosen, and what happens when something is pressed. Runs when all of the document is there.

const $ = (id) => document.getElementById(id);

const VIEWS = ['groups', 'tree', 'tasks'];

class Page {
  constructor() {
    this.dump = null;
    this.view = 'groups';
    this.detail = 'user';
    this.order = 'stuck';
    this.sort = { column: 'id', descending: false };
    this.filters = noFilters();
    this.opened = Object.fromEntries(VIEWS.map((view) => [view, { toggled: new Set(), all: null }]));
    this.list = new List($('list'), { draw: (row) => this.drawing.row(row), toggle: (row) => this.toggle(row) });
    this.wire();
  }

  // --- What is shown

  /** Shows another dump. What is chosen, open and active stays. */
  load(dump) {
    this.dump = dump;
    this.chooseFrom();
    this.head();
    this.update();
    $('panel').setAttribute('aria-busy', 'false');
  }

  /** Shows what is chosen now. */
  update() {
    const { dump, view, detail, order, sort, filters } = this;
    if (!dump) return;
    const passes = passing(dump, filters, detail);
    this.rows = new Rows(dump, passes, { detail, order, sort, ...this.opened[view] });
    this.drawing = new Drawing(dump, { words: filters.words, isGrid: view === 'tasks' });
    const rows = this.rows[view]();
    $('list').setAttribute('role', view === 'tasks' ? 'treegrid' : 'tree');
    $('list').setAttribute('aria-label', $(`tab-${view}`).textContent);
    this.list.show(rows, view === 'tasks' ? this.drawing.headings(sort) : null);
    const shown = passes.reduce((sum, one) => sum + one, 0);
    $('count').textContent = shown === dump.size ? plural(shown, 'task') : `${grouped(shown)} of ${plural(dump.size, 'task')}`;
    $('list').hidden = rows.length === 0;
    $('empty').hidden = rows.length > 0;
    $('empty').textContent = dump.size === 0 ? 'There is no task in this dump.' : 'No task passes the search and the filters. “Show all” takes them away.';
    $('reset').disabled = !isFiltering(filters);
    for (const chip of $('states').querySelectorAll('button')) {
      chip.setAttribute('aria-pressed', filters.states.has(chip.dataset.state));
    }
    $('order-label').hidden = view !== 'groups';
    this.foot();
  }

  toggle(row) {
    const { toggled } = this.opened[this.view];
    if (!toggled.delete(row.key)) toggled.add(row.key);
    this.update();
  }

  /** Opens or closes all groups and tasks. */
  all(open) {
    this.opened[this.view] = { toggled: new Set(), all: open };
    this.update();
  }

  show(view) {
    this.view = view;
    for (const other of VIEWS) {
      const tab = $(`tab-${other}`);
      tab.setAttribute('aria-selected', other === view);
      tab.tabIndex = other === view ? 0 : -1;
    }
    $('panel').setAttribute('aria-labelledby', `tab-${view}`);
    this.list.active = 0;
    $('list').scrollTop = 0;
    this.update();
  }

  /** Goes to a task in the task tree. */
  reveal(id) {
    const task = this.dump.byId.get(id);
    if (task === undefined) return;
    this.reset();
    this.show('tree');
    const { toggled } = this.opened.tree;
    for (let of = this.dump.parents[task]; of >= 0; of = this.dump.parents[of]) {
      const key = this.dump.tasks.id[of];
      if (this.rows.isOpen(key, this.rows.isParentOpen(of))) continue;
      if (!toggled.delete(key)) toggled.add(key);
    }
    this.update();
    this.list.go(this.list.rows.findIndex((row) => row.key === id || row.tasks?.includes(task)));
    $('list').focus();
  }

  reset() {
    this.filters = noFilters();
    for (const id of ['search', 'in-state', 'age', 'crate']) $(id).value = id === 'search' || id === 'crate' ? '' : '0';
    this.update();
  }

  // --- Around the list

  head() {
    const { dump } = this;
    const others = dump.registered - dump.size;
    const said = [`taken at ${dump.taken_at} in ${grouped(Math.floor(dump.took_ms))} ms`];
    if (others > 0) said.push(`${plural(others, 'more task')} did not pass its filter or came later`);
    const traced = Math.max(dump.registered - dump.nested - dump.unpolled, 0);
    const uncounted = [];
    if (dump.nested > 0) uncounted.push(`${grouped(dump.nested)} polled by other traced tasks`);
    if (dump.unpolled > 0) uncounted.push(`${grouped(dump.unpolled)} never polled`);
    const notCounted = uncounted.length > 0 ? ` (not counted: ${uncounted.join(', ')})` : '';
    const notes = [];
    if (dump.partial) {
      const silent = dump.tasks.no_trace.filter((reason) => ['not_polled', 'not_asked', 'no_timer'].includes(dump.text(reason)));
      notes.push(`PARTIAL: the deadline passed before ${plural(silent.length, 'task')} answered. What they do is here, where they wait is not.`);
    }
    if (dump.origin !== null) {
      said.unshift(dump.origin);
    } else if (traced === 0 && (dump.registered === 0 || dump.alive > 0)) {
      const alive = dump.alive === null ? '' : ` of ${plural(dump.alive, 'task')} alive`;
      notes.push(`NO TASK IS TRACED${alive}: wrap what you spawn in traced(…), or spawn it with .traced().${notCounted}`);
    } else if (dump.alive !== null && traced > dump.alive) {
      said.push(`traced ${plural(traced, 'task')}; the runtime has ${grouped(dump.alive)} alive, so some are not its own${notCounted}`);
    } else if (dump.alive !== null) {
      said.push(`traced ${grouped(traced)} of ${plural(dump.alive, 'task')} alive${notCounted}`);
    }
    $('summary').textContent = said.join(' · ');
    const lines = [...notes.map((text) => ['loud', text]), ...dump.notes.map((text) => ['quiet', text])];
    $('notes').replaceChildren(...lines.map(([className, text]) => element('p', { className }, text)));
    this.subject(dump.subject);
  }

  subject(text) {
    if (!text) return;
    $('subject').textContent = shortened(text, 120);
    document.title = `${shortened(text, 120)} – backtrace-waker`;
  }

  foot() {
    const { dump, detail } = this;
    const hidden = dump.traces.reduce((sum, trace) => sum + trace[detail].hidden, 0);
    const traces = plural(dump.traces.length, 'distinct trace');
    $('footer').textContent = hidden > 0 ? `${plural(hidden, 'frame')} of ${traces} hidden; choose more frames to see them` : traces;
  }

  /** What can be filtered by, in this dump. What was chosen stays chosen. */
  chooseFrom() {
    const chip = ([state, count]) =>
      element('button', { type: 'button', className: `badge ${Object.hasOwn(STATES, state) ? state : ''}`, 'data-state': state, 'aria-pressed': 'false' }, `${stateInWords(state)} ${grouped(count)}`);
    const states = statesOf(this.dump);
    for (const state of this.filters.states) if (!states.some(([other]) => other === state)) states.push([state, 0]);
    const hadFocus = document.activeElement?.dataset?.state;
    $('states').replaceChildren($('states').firstElementChild, ...states.map(chip));
    if (hadFocus !== undefined) $('states').querySelector(`[data-state="${CSS.escape(hadFocus)}"]`)?.focus();
    const crates = cratesOf(this.dump);
    const { crate } = this.filters;
    if (crate !== null && !crates.some(([other]) => other === crate)) crates.push([crate, 0]);
    const option = ([of, count]) => element('option', { value: of }, `${shortened(of, 60)} (${grouped(count)})`);
    $('crate').replaceChildren(element('option', { value: '' }, 'any'), ...crates.map(option));
    $('crate').value = crate ?? '';
  }

  // --- What is pressed

  wire() {
    for (const id of ['in-state', 'age']) {
      $(id).append(...AT_LEAST.map(([ms, text]) => element('option', { value: String(ms) }, text)));
    }
    const on = (id, event, act) => $(id).addEventListener(event, act);
    on('filters', 'submit', (event) => event.preventDefault());
    on('search', 'input', () => this.filter({ words: wordsOf($('search').value) }));
    on('search', 'keydown', (event) => this.searchKey(event));
    on('in-state', 'change', () => this.filter({ inState: Number($('in-state').value) }));
    on('age', 'change', () => this.filter({ age: Number($('age').value) }));
    on('crate', 'change', () => this.filter({ crate: $('crate').value || null }));
    on('states', 'click', ({ target }) => {
      const { state } = target.closest('button')?.dataset ?? {};
      if (state === undefined) return;
      const states = new Set(this.filters.states);
      if (!states.delete(state)) states.add(state);
      this.filter({ states });
    });
    on('reset', 'click', () => this.reset());
    on('order', 'change', () => this.choose({ order: $('order').value }));
    on('detail', 'change', () => this.choose({ detail: $('detail').value }));
    on('expand', 'click', () => this.all(true));
    on('collapse', 'click', () => this.all(false));
    on('keys-button', 'click', () => $('keys').showModal());
    on('list', 'click', ({ target }) => this.pressed(target.closest('button')));
    for (const view of VIEWS) on(`tab-${view}`, 'click', () => this.show(view));
    document.querySelector('[role=tablist]').addEventListener('keydown', (event) => this.tabKey(event));
    document.addEventListener('keydown', (event) => this.key(event));
    this.themes();
    addEventListener('beforeprint', () => {
      const left = this.list.print(true);
      if (left > 0) $('footer').textContent = `${plural(left, 'more row')} not printed: filter, or collapse some`;
    });
    addEventListener('afterprint', () => {
      this.list.print(false);
      this.foot();
    });
  }

  filter(change) {
    Object.assign(this.filters, change);
    $('list').scrollTop = 0;
    this.update();
  }

  choose(change) {
    Object.assign(this, change);
    this.update();
  }

  /** A button in the list. */
  pressed(button) {
    const { sort, reveal } = button?.dataset ?? {};
    if (reveal !== undefined) this.reveal(Number(reveal));
    if (sort === undefined) return;
    const descending = this.sort.column === sort ? !this.sort.descending : ['in_state', 'age', 'polls'].includes(sort);
    this.choose({ sort: { column: sort, descending } });
    $('list').querySelector(`[data-sort="${sort}"]`).focus();
  }

  searchKey(event) {
    if (event.key === 'Escape') {
      event.preventDefault();
      if ($('search').value === '' && !isFiltering(this.filters)) $('list').focus();
      else this.reset();
    } else if (event.key === 'Enter' || event.key === 'ArrowDown') {
      event.preventDefault();
      $('list').focus();
      this.list.go(0);
    }
  }

  tabKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.show(VIEWS[(VIEWS.indexOf(this.view) + step + VIEWS.length) % VIEWS.length]);
    $(`tab-${this.view}`).focus();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || $('keys').open) return;
    if (event.target.closest('input, select, textarea')) return;
    const keys = {
      '/': () => {
        $('search').focus();
        $('search').select();
      },
      '?': () => $('keys').showModal(),
      1: () => this.show('groups'),
      2: () => this.show('tree'),
      3: () => this.show('tasks'),
      e: () => this.all(true),
      c: () => this.all(false),
      r: () => this.refresh?.(),
      Escape: () => this.reset(),
    };
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
    if ('123'.includes(event.key)) $('list').focus();
  }

  themes() {
    const set = (theme) => {
      document.documentElement.dataset.theme = theme;
      $('theme').value = theme;
    };
    // Some browsers keep nothing for files, and say so by throwing.
    try {
      const kept = localStorage.getItem('backtrace-waker theme');
      if (kept === 'light' || kept === 'dark') set(kept);
    } catch {}
    $('theme').addEventListener('change', () => {
      set($('theme').value);
      try {
        localStorage.setItem('backtrace-waker theme', $('theme').value);
      } catch {}
    });
  }

  // --- The live page

  live() {
    $('live').hidden = false;
    $('refresh').addEventListener('click', () => this.refresh());
    $('every').addEventListener('change', () => this.schedule());
    document.addEventListener('visibilitychange', () => this.schedule());
    this.refresh = async () => {
      if (this.isAsking) return;
      this.isAsking = true;
      $('refresh').disabled = true;
      $('fetching').textContent = 'asking …';
      try {
        this.load(await fetchDump());
        $('error').textContent = '';
      } catch (error) {
        const kept = this.dump ? ` What is below was taken at ${this.dump.taken_at}.` : '';
        $('error').textContent = error.message + kept;
        // A mistake of this page, which the console says more of.
        if (!(error instanceof AgentError)) throw error;
      } finally {
        this.isAsking = false;
        $('refresh').disabled = false;
        $('fetching').textContent = '';
        $('panel').setAttribute('aria-busy', 'false');
        this.schedule();
      }
    };
    this.refresh().then(fetchSubject).then((text) => this.subject(text));
  }

  /** Asks again by itself, if that was chosen and somebody looks. The next time is counted from the end of the last. */
  schedule() {
    clearTimeout(this.timer);
    const seconds = Number($('every').value);
    if (seconds > 0 && !document.hidden) this.timer = setTimeout(() => this.refresh(), seconds * 1000);
  }
}

function start() {
  const page = new Page();
  page.show('groups');
  $('panel').setAttribute('aria-busy', 'true');
  let columns;
  try {
    columns = JSON.parse($('dump').textContent);
  } catch {
    $('error').textContent = 'This file broke off: it does not hold all of its dump. Write or copy it again.';
    return;
  }
  if (columns === null) page.live();
  else page.load(new Dump(columns));
}

start();
