// A list of rows of one height, of which only those that can be seen are in the document.

/** Rows beyond what is seen, above and below. */
const MARGIN = 12;

/** Browsers give up on elements that are higher, in pixels. A longer list scrolls faster than one drags. */
const HIGHEST = 8_000_000;

/** When it is printed, all rows are in the document: so many at most. */
const MOST_PRINTED = 5_000;

class List {
  /** `draw` makes the element of a row, `toggle` opens or closes one. */
  constructor(viewport, { draw, toggle }) {
    Object.assign(this, { viewport, draw, toggle });
    this.window = element('div', { className: 'window', role: 'presentation' });
    this.sizer = element('div', { className: 'sizer', role: 'presentation' }, this.window);
    this.rows = [];
    this.shown = new Map();
    this.active = 0;
    viewport.append(this.sizer);
    viewport.addEventListener('scroll', () => this.later(), { passive: true });
    viewport.addEventListener('keydown', (event) => this.key(event));
    viewport.addEventListener('click', (event) => this.click(event));
    new ResizeObserver(() => this.later()).observe(viewport);
  }

  /** Shows these rows, below these headings. The active one stays the same if it is still there, or else its number. */
  show(rows, headings = null) {
    const key = this.rows[this.active]?.key;
    this.rows = rows;
    if (key !== undefined && rows[this.active]?.key !== key) {
      const at = rows.findIndex((row) => row.key === key);
      if (at >= 0) this.active = at;
    }
    this.active = Math.max(0, Math.min(this.active, rows.length - 1));
    this.headings?.remove();
    this.headings = headings;
    if (headings) this.sizer.before(headings);
    this.viewport.setAttribute('aria-rowcount', rows.length + (headings ? 1 : 0));
    this.redraw();
  }

  /** Draws all anew that can be seen. */
  redraw() {
    this.shown.clear();
    this.window.replaceChildren();
    this.render();
  }

  later() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.render();
    });
  }

  measure() {
    this.height = parseFloat(getComputedStyle(this.viewport).getPropertyValue('--row'));
    this.top = this.headings ? this.height : 0;
    this.room = Math.max(this.viewport.clientHeight - this.top, this.height);
    this.total = this.rows.length * this.height;
    this.scaled = Math.min(this.total, HIGHEST);
  }

  /** How many pixels of list are above what is seen, which is not `scrollTop` if the list is too high to be an element. */
  get above() {
    const most = this.scaled - this.room;
    if (this.total === this.scaled || most <= 0) return this.viewport.scrollTop;
    return Math.min(this.viewport.scrollTop / most, 1) * (this.total - this.room);
  }

  set above(pixels) {
    const most = this.scaled - this.room;
    this.viewport.scrollTop = this.total === this.scaled || most <= 0 ? pixels : (pixels / (this.total - this.room)) * most;
  }

  render() {
    if (this.printing) return;
    this.measure();
    this.sizer.style.height = `${this.scaled}px`;
    const above = this.above;
    const first = Math.max(0, Math.floor(above / this.height) - MARGIN);
    const end = Math.min(this.rows.length, Math.ceil((above + this.room) / this.height) + MARGIN);
    for (const [at, made] of this.shown) {
      if (at >= first && at < end) continue;
      made.remove();
      this.shown.delete(at);
    }
    // In order, as that is how they are read.
    let before = this.window.firstChild;
    for (let at = first; at < end; at++) {
      const known = this.shown.get(at);
      if (known) {
        before = known.nextSibling;
        continue;
      }
      const made = this.make(at);
      this.shown.set(at, made);
      this.window.insertBefore(made, before);
    }
    // Where the first of them belongs: relative to what is seen, so that a list that is too high has no rounding in it.
    const offset = this.total === this.scaled ? first * this.height : this.viewport.scrollTop + first * this.height - above;
    this.window.style.transform = `translateY(${offset}px)`;
    this.mark();
  }

  make(at) {
    const made = this.draw(this.rows[at]);
    made.id = `row-${at}`;
    made.dataset.at = at;
    if (made.getAttribute('role') === 'row') made.setAttribute('aria-rowindex', at + (this.headings ? 2 : 1));
    return made;
  }

  /** Tells which row is active, to eyes and to readers. */
  mark() {
    this.window.querySelector('.active')?.classList.remove('active');
    const active = this.shown.get(this.active);
    active?.classList.add('active');
    if (active) this.viewport.setAttribute('aria-activedescendant', active.id);
    else this.viewport.removeAttribute('aria-activedescendant');
  }

  /** Makes a row active, and scrolls it into view. */
  go(at) {
    if (this.rows.length === 0) return;
    this.active = Math.max(0, Math.min(at, this.rows.length - 1));
    this.measure();
    const top = this.active * this.height;
    const above = this.above;
    if (top < above) this.above = top;
    else if (top + this.height > above + this.room) this.above = top + this.height - this.room;
    this.render();
  }

  /** The row that a row is in, or itself. */
  parentOf(at) {
    const { level } = this.rows[at];
    for (let above = at - 1; above >= 0; above--) if (this.rows[above].level < level) return above;
    return at;
  }

  key(event) {
    if (event.target !== this.viewport || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = this.rows[this.active];
    if (!row) return;
    const page = Math.max(1, Math.floor(this.room / this.height) - 1);
    const canOpen = row.key !== undefined;
    const keys = {
      ArrowDown: () => this.go(this.active + 1),
      ArrowUp: () => this.go(this.active - 1),
      PageDown: () => this.go(this.active + page),
      PageUp: () => this.go(this.active - page),
      Home: () => this.go(0),
      End: () => this.go(this.rows.length - 1),
      ArrowRight: () => {
        if (canOpen && !row.open) this.toggle(row);
        else if (this.rows[this.active + 1]?.level > row.level) this.go(this.active + 1);
      },
      ArrowLeft: () => {
        if (canOpen && row.open) this.toggle(row);
        else this.go(this.parentOf(this.active));
      },
      Enter: () => canOpen && this.toggle(row),
      ' ': () => canOpen && this.toggle(row),
    };
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  }

  click(event) {
    const made = event.target.closest('.row');
    if (!made || event.target.closest('button')) return;
    // Who marks text to copy it opens nothing.
    if (!getSelection().isCollapsed) return;
    this.active = Number(made.dataset.at);
    this.mark();
    const row = this.rows[this.active];
    // Of a frame only what stands for it: its text is there to be copied.
    if (row.key !== undefined && (row.kind !== 'frame' || event.target.closest('.twisty, .branch'))) this.toggle(row);
  }

  /** Puts all rows into the document, or back to those that can be seen. Tells how many had to be left out. */
  print(isPrinting) {
    this.printing = isPrinting;
    if (!isPrinting) {
      this.redraw();
      return 0;
    }
    const rows = this.rows.slice(0, MOST_PRINTED);
    this.window.replaceChildren(...rows.map((_, at) => this.make(at)));
    this.window.style.transform = '';
    this.sizer.style.height = 'auto';
    return this.rows.length - rows.length;
  }
}

