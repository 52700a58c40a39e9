// 100,000 tasks: bounded by what is in the document, and right.

import assert from 'node:assert/strict';
import test from 'node:test';
import { activeRow, counts, rowsOf, search, withPage } from './harness.mjs';

/** Elements of a page, its controls included: some 120 rows of a dozen at most. */
const MOST_ELEMENTS = 2_500;

async function isSmall(page, when) {
  const elements = await page.evaluate(() => document.querySelectorAll('*').length);
  assert.ok(elements < MOST_ELEMENTS, `${elements} elements ${when}`);
}

test('100,000 tasks: every view, opened and scrolled, has few elements', () =>
  withPage('large.html', {}, async (page) => {
    await counts(page, '100,000 tasks');
    for (const [key, view] of [['1', 'groups'], ['2', 'task tree'], ['3', 'tasks']]) {
      await page.keyboard.press(key);
      await isSmall(page, `in ${view}`);
      await page.keyboard.press('e');
      await isSmall(page, `in ${view}, expanded`);
      for (const part of [0.25, 0.5, 1]) {
        await page.evaluate((to) => {
          const list = document.querySelector('#list');
          list.scrollTop = to * list.scrollHeight;
          return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
        }, part);
        await isSmall(page, `in ${view}, expanded and scrolled`);
        assert.ok((await rowsOf(page)).length > 20, 'rows are where one scrolls to');
      }
      await page.keyboard.press('c');
    }
  }));

test('100,000 tasks: the last one can be reached, also in a list that is too high for a browser', () =>
  withPage('large.html', {}, async (page) => {
    await page.keyboard.press('3');
    await page.keyboard.press('End');
    assert.match(await activeRow(page), /^100000/);
    await page.keyboard.press('e');
    await page.keyboard.press('End');
    const list = await page.locator('#list').evaluate((it) => [Number(it.getAttribute('aria-rowcount')), it.scrollHeight]);
    assert.ok(list[0] > 500_000 && list[1] < 8_100_000, `${list}`);
    const isSeen = () => page.locator('.row.active').evaluate((row) => {
      const [inner, outer] = [row.getBoundingClientRect(), row.closest('#list').getBoundingClientRect()];
      return inner.top >= outer.top && inner.bottom <= outer.bottom + 1;
    });
    assert.equal(await isSeen(), true);
    await page.keyboard.press('PageUp');
    assert.equal(await isSeen(), true);
    await page.keyboard.press('Home');
    assert.match(await activeRow(page), /^1$|^1[^0-9]/);
    assert.equal(await isSeen(), true);
    await page.keyboard.press('PageDown');
    assert.equal(await isSeen(), true);
  }));

test('100,000 tasks: search and filters find the right ones', () =>
  withPage('large.html', {}, async (page) => {
    await search(page, 'connection 47110', '1 of 100,000 tasks');
    assert.ok((await rowsOf(page))[0].includes('"connection 47110"'));
    await search(page, '#94220', '1 of 100,000 tasks');
    await page.locator('#reset').click();
    await page.getByRole('button', { name: /^never polled/ }).click();
    await counts(page, '2,000 of 100,000 tasks');
    await page.selectOption('#in-state', '3600000');
    const expected = Array.from({ length: 100_000 }, (_, n) => n + 1).filter((n) => n % 50 === 0 && (n * 7_919) % 9_000_000 >= 3_600_000);
    await counts(page, `${String(expected.length).replace(/\B(?=(\d{3})+$)/g, ',')} of 100,000 tasks`);
    await page.keyboard.press('3');
    const first = (await page.locator('.row.entry [role=gridcell]:first-child').allTextContents()).map((text) => Number(text.slice(1)));
    assert.deepEqual(first.slice(0, 10), expected.slice(0, 10));
  }));

test('a chain of 2,000 parents can be opened and filtered', () =>
  withPage('large.html', {}, async (page) => {
    await page.keyboard.press('2');
    await page.keyboard.press('e');
    await search(page, '#2000', '1 of 100,000 tasks');
    await page.keyboard.press('Enter');
    await page.keyboard.press('End');
    const rows = await rowsOf(page);
    assert.ok(rows.some((row) => row.startsWith('(level 2000)task 2000 ')), rows.slice(-5).join('\n'));
  }));
