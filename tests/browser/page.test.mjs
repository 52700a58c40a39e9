// The page of a small dump: what it shows, and what one can do with it.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import test from 'node:test';
import { PAGES, activeRow, counts, rowsOf, search, withPage } from './harness.mjs';

const some = (rows, ...parts) => rows.some((row) => parts.every((part) => row.includes(part)));

test('groups are there at once, with counts, states, times, names and trees', () =>
  withPage('small.html', { viewport: { width: 1280, height: 1600 } }, async (page) => {
    const rows = await rowsOf(page);
    assert.ok(some(rows, '8 tasks', 'suspended', 'for 7.7 s to 15.4 s', '"POST /order"'), rows.join('\n'));
    assert.ok(some(rows, '1 task', 'being polled', 'for 14.0 s', 'on "tokio-rt-worker" (thread 4713)', '"GET /wedge"'));
    assert.ok(some(rows, '└╼ async fn shop::report::compute', '(blocks its thread)'));
    assert.ok(some(rows, 'no trace: a dump woke it, and its executor has not polled it since'));
    assert.ok(some(rows, '└╼ async fn tokio::sync::mutex::Mutex<T>::lock', 'at tokio-1.54.1/src/sync/mutex.rs:455:5'));
    assert.ok(some(rows, 'async fn shop::cart::add', 'at src/cart.rs:12:5'), 'paths are short');
    assert.ok(some(rows, 'spawned at src/main.rs:20:5'));
    assert.match(rows[0], /^1 task.*"GET \/wedge"/, 'who is stuck is first');
    assert.ok(some((await rowsOf(page)).filter((row) => /^\d+ tasks?/.test(row)).slice(1, 2), 'woken but not polled', '"GET /cart"'));
    assert.match(await page.title(), /^shop, pid 4711/);
    await page.selectOption('#order', 'wait');
    assert.match((await rowsOf(page))[0], /"supervisor"/);
    await page.selectOption('#order', 'count');
    assert.ok((await rowsOf(page))[0].startsWith('8 tasks'));
  }));

test('ages say what the poll of a dump did', () =>
  withPage('late.html', { viewport: { width: 1280, height: 1600 } }, async (page) => {
    const rows = await rowsOf(page);
    assert.ok(some(rows, '1 task', 'suspended', 'for 3.7 s until this dump polled it', '"cured"'), rows.join('\n'));
    assert.ok(some(rows, '1 task', 'for 3.7 s until a request polled it, 2.0 s ago', '"asked before"'), rows.join('\n'));
    assert.ok(some(rows, '2 tasks', 'finished', 'when this dump polled them, 3.7 s to 9.0 s after their last polls'), rows.join('\n'));
    assert.ok(some(rows, '(woken at that moment, or its wake had been lost)'), rows.join('\n'));
    await page.keyboard.press('3');
    const list = await rowsOf(page);
    assert.ok(some(list, 'evict', 'woken at that moment'), list.join('\n'));
  }));

test('a partial dump says so loudly, and how many are traced', () =>
  withPage('small.html', {}, async (page) => {
    assert.match(await page.locator('#notes .loud').textContent(), /^PARTIAL: the deadline passed before 1 task answered/);
    assert.match(await page.locator('#summary').textContent(), /taken at 2026-09-21T14:13:20\.123Z in 84 ms .* traced 18 of 40 tasks alive/);
  }));

test('a dump without tasks says what to do', () =>
  withPage('none.html', {}, async (page) => {
    assert.match(await page.locator('#notes .loud').textContent(), /^NO TASK IS TRACED of 1,040 tasks alive: wrap what you spawn/);
    assert.match(await page.locator('#empty').textContent(), /no task in this dump/);
  }));

test('the dump of a real program', () =>
  withPage('real.html', {}, async (page) => {
    const rows = await rowsOf(page);
    assert.ok(some(rows, '3 tasks', 'suspended', '"seller"'), rows.join('\n'));
    assert.ok(some(rows, 'async fn pages::sell', 'tests/browser/pages.rs:'));
    assert.ok(some(rows, 'being polled', '"wedged"'));
  }));

test('search finds functions, names, files and ids, in any case, and all words have to be there', () =>
  withPage('small.html', {}, async (page) => {
    await search(page, 'MUTEX', '10 of 16 tasks');
    assert.ok((await page.locator('mark').allTextContents()).every((text) => text.toLowerCase() === 'mutex'));
    await search(page, 'post', '9 of 16 tasks');
    await search(page, 'cart.rs', '2 of 16 tasks');
    await search(page, 'stock::reserve price', '2 of 16 tasks');
    await search(page, '#7', '1 of 16 tasks');
    assert.ok(some(await rowsOf(page), '1 of 8 tasks', '"POST /order"'));
    await search(page, 'tokio-1.54.1', '12 of 16 tasks');
    await search(page, 'nothing of that name', '0 of 16 tasks');
    assert.match(await page.locator('#empty').textContent(), /No task passes/);
    await page.locator('#reset').click();
    await counts(page, '16 tasks');
    assert.equal(await page.locator('#search').inputValue(), '');
  }));

test('filters by state, by time in it, by age and by crate, together', () =>
  withPage('small.html', {}, async (page) => {
    const state = (name) => page.getByRole('button', { name });
    await state('being polled 1').click();
    await counts(page, '1 of 16 tasks');
    assert.equal(await state('being polled 1').getAttribute('aria-pressed'), 'true');
    await state('suspended 12').click();
    await counts(page, '13 of 16 tasks');
    await page.selectOption('#in-state', '60000');
    await counts(page, '3 of 16 tasks');
    await page.selectOption('#age', '3600000');
    await counts(page, '1 of 16 tasks');
    await page.locator('#reset').click();
    const crates = await page.locator('#crate option').allTextContents();
    assert.deepEqual(crates, ['any', 'shop (13)', 'tokio (12)']);
    await page.selectOption('#crate', 'shop');
    await counts(page, '13 of 16 tasks');
  }));

test('the task tree has children below their parents, and leads from a child to its parent', () =>
  withPage('small.html', { viewport: { width: 1280, height: 1600 } }, async (page) => {
    await page.getByRole('tab', { name: 'Task tree' }).click();
    const level = async (text) => Number(await page.locator('.row', { hasText: text }).first().getAttribute('aria-level'));
    assert.deepEqual([await level('task 1 "supervisor"'), await level('task 14 "POST'), await level('task 15 "POST')], [1, 2, 3]);
    assert.ok(some(await rowsOf(page), '7 tasks', '"POST /order"'), 'children that look alike stand together');
    // Who does not pass stays above who does.
    await search(page, 'price::quote', '2 of 16 tasks');
    const rows = await rowsOf(page);
    assert.ok(some(rows, 'task 1 "supervisor"') && some(rows, 'task 15') && !some(rows, 'heartbeat'), rows.join('\n'));
    await page.locator('#reset').click();
    await page.getByRole('tab', { name: 'Groups' }).click();
    await page.locator('.row.details', { hasText: 'task 3 "GET /wedge"' }).getByRole('button', { name: 'child of task 1' }).click();
    assert.match(await activeRow(page), /^task 1 "supervisor"/);
  }));

test('the list of tasks is sorted by any column', () =>
  withPage('small.html', {}, async (page) => {
    await page.getByRole('tab', { name: 'Tasks' }).click();
    const ids = async () => (await page.locator('.row.entry [role=gridcell]:first-child').allTextContents()).map((text) => Number(text.slice(1)));
    assert.deepEqual(await ids(), Array.from({ length: 16 }, (_, n) => n + 1));
    const heading = (name) => page.getByRole('columnheader', { name, exact: true });
    await heading('in state for').getByRole('button').click();
    assert.equal(await heading('in state for').getAttribute('aria-sort'), 'descending');
    assert.deepEqual((await ids()).slice(0, 4), [1, 16, 15, 14]);
    await heading('in state for').getByRole('button').click();
    assert.equal((await ids())[0], 6);
    await heading('name').getByRole('button').click();
    assert.deepEqual((await ids()).slice(0, 3), [4, 3, 2]);
    assert.deepEqual((await ids()).slice(-3), [5, 6, 16], 'those without a name are last');
  }));

test('frames of libraries and everything else show when they are asked for', () =>
  withPage('small.html', { viewport: { width: 1280, height: 1600 } }, async (page) => {
    const shows = async (text) => some(await rowsOf(page), text);
    assert.equal(await shows('bw_core::task::traced_task::poll_attended'), false);
    assert.match(await page.locator('#footer').textContent(), /^\d+ frames of 5 distinct traces hidden/);
    await page.selectOption('#detail', 'full');
    assert.equal(await shows('bw_core::task::traced_task::poll_attended'), true);
    assert.equal(await page.locator('#footer').textContent(), '5 distinct traces');
  }));

test('everything can be done with keys', () =>
  withPage('small.html', {}, async (page) => {
    const press = async (...keys) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    await press('/', 'o', 'r', 'd', 'e', 'r');
    await counts(page, '8 of 16 tasks');
    await press('Enter');
    assert.match(await activeRow(page), /^8 tasks/);
    const isOpen = () => page.locator('.row.active').getAttribute('aria-expanded');
    assert.equal(await isOpen(), 'true');
    await press('ArrowLeft');
    assert.equal(await isOpen(), 'false');
    await press('Enter');
    assert.equal(await isOpen(), 'true');
    await press('ArrowRight');
    assert.match(await activeRow(page), /7 "POST \/order"/);
    await press('End');
    assert.match(await activeRow(page), /^list all 8/);
    await press('ArrowRight', 'ArrowRight');
    assert.match(await activeRow(page), /^task 7 "POST \/order"/);
    await press(' ', 'ArrowDown');
    assert.match(await activeRow(page), /^polled 699 times/);
    await press('ArrowLeft', 'ArrowLeft', 'ArrowLeft', 'ArrowLeft');
    assert.match(await activeRow(page), /^the 8|^list all 8/);
    await press('Home');
    assert.match(await activeRow(page), /^8 tasks/);
    await press('Escape');
    await counts(page, '16 tasks');
    await press('c');
    assert.equal(await page.locator('.row.frame').count(), 0);
    await press('e');
    assert.ok((await page.locator('.row.frame').count()) > 5);
    await press('3');
    assert.equal(await page.getByRole('tab', { selected: true }).textContent(), 'Tasks');
    await press('?');
    assert.equal(await page.getByRole('dialog', { name: 'Keys' }).isVisible(), true);
    await press('Escape');
    assert.equal(await page.getByRole('dialog').count(), 0);
    // Tabs have arrows of their own.
    await page.getByRole('tab', { name: 'Tasks' }).focus();
    await press('ArrowRight');
    assert.equal(await page.getByRole('tab', { selected: true }).textContent(), 'Groups');
  }));

test('what is open stays open while one searches and changes views', () =>
  withPage('small.html', {}, async (page) => {
    const first = page.locator('.row.group').first();
    await first.click();
    assert.equal(await first.getAttribute('aria-expanded'), 'false');
    await page.keyboard.press('3');
    await page.keyboard.press('1');
    await search(page, 'wedge', '1 of 16 tasks');
    assert.equal(await first.getAttribute('aria-expanded'), 'false');
  }));

test('readers of screens are told what the rows are', () =>
  withPage('small.html', {}, async (page) => {
    const tree = page.getByRole('tree', { name: 'Groups' });
    assert.equal(await tree.count(), 1);
    const first = page.getByRole('treeitem').first();
    for (const [name, value] of [['aria-level', '1'], ['aria-expanded', 'true'], ['aria-posinset', '1'], ['aria-setsize', '8']]) {
      assert.equal(await first.getAttribute(name), value, name);
    }
    await page.keyboard.press('3');
    const grid = page.getByRole('treegrid', { name: 'Tasks' });
    assert.equal(await grid.getAttribute('aria-rowcount'), '17');
    assert.equal(await grid.getByRole('columnheader').count(), 8);
    assert.equal(await grid.getByRole('row').nth(1).getAttribute('aria-rowindex'), '2');
    // All that can be pressed has a name.
    for (const control of await page.locator('button:visible, select:visible, input:visible').all()) {
      const name = await control.evaluate((it) => (it.labels?.[0]?.textContent ?? it.textContent).trim());
      assert.notEqual(name, '');
    }
  }));

/** The lowest contrast of a visible text with what is behind it, and the text. */
function lowestContrast() {
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (of) => {
    for (let it = of; it; it = it.parentElement) {
      const color = parse(getComputedStyle(it).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  let lowest = { ratio: 21, text: '' };
  for (const it of document.querySelectorAll('body *')) {
    const text = [...it.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join('');
    if (text === '' || it.closest('script, noscript, option, .unseen, :disabled') || !it.checkVisibility({ opacityProperty: true })) continue;
    const [a, b] = [luminance(parse(getComputedStyle(it).color)), luminance(behind(it))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < lowest.ratio) lowest = { ratio, text };
  }
  return lowest;
}

test('light and dark: as the system has it, or as was chosen, and readable in both', async () => {
  const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const readable = async (page) => {
    for (const view of ['1', '2', '3']) {
      await page.keyboard.press(view);
      await page.keyboard.press('e');
      await page.locator('#search').fill('o');
      const { ratio, text } = await page.evaluate(lowestContrast);
      assert.ok(ratio >= 4.5, `${text}: ${ratio}`);
      await page.keyboard.press('Escape');
      await page.locator('#list').focus();
    }
  };
  await withPage('small.html', { colorScheme: 'light' }, async (page) => {
    assert.equal(await ground(page), 'rgb(255, 255, 255)');
    await readable(page);
    await page.selectOption('#theme', 'dark');
    assert.equal(await ground(page), 'rgb(20, 23, 28)');
    await readable(page);
  });
  await withPage('small.html', { colorScheme: 'dark' }, async (page) => {
    assert.equal(await ground(page), 'rgb(20, 23, 28)');
    await page.selectOption('#theme', 'light');
    assert.equal(await ground(page), 'rgb(255, 255, 255)');
  });
});

test('printing has all rows and no controls', () =>
  withPage('small.html', { viewport: { width: 1280, height: 400 } }, async (page) => {
    const inDocument = () => page.locator('.row').count();
    await page.keyboard.press('e');
    const before = await inDocument();
    await page.evaluate(() => {
      window.printed = [];
      addEventListener('beforeprint', () => window.printed.push(document.querySelectorAll('.row').length));
    });
    const pdf = await page.pdf();
    assert.equal(pdf.subarray(0, 5).toString(), '%PDF-');
    const [printed] = await page.evaluate(() => window.printed);
    assert.ok(printed > before, `${printed} rows printed, ${before} before`);
    assert.equal(await inDocument(), before, 'and afterwards only those that can be seen');
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('#filters').isVisible(), false);
  }));

test('a narrow window scrolls lists and not the page sideways', () =>
  withPage('small.html', { viewport: { width: 360, height: 700 } }, async (page) => {
    const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(widths[0] <= widths[1], `${widths}`);
    assert.ok((await page.locator('#list').boundingBox()).height > 300);
  }));

test('a file that broke off says so', async () => {
  const whole = await readFile(`${PAGES}/small.html`, 'utf8');
  const at = whole.indexOf('id="dump">');
  await writeFile(`${PAGES}/cut.html`, whole.slice(0, at + 2_000));
  await withPage('cut.html', { wait: false }, async (page) => {
    await page.waitForFunction(() => document.querySelector('#error').textContent.startsWith('This file broke off'));
  });
});
