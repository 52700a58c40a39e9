// Names, paths and threads that would like to be more than text.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import test from 'node:test';
import { PAGES, counts, rowsOf, search, withPage } from './harness.mjs';

/** What Unicode would let change the direction of text, hide, or move. */
const DANGEROUS = /[\p{Cc}\p{Cs}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}]/u;

test('hostile names are shown as they are written, and run nothing', () =>
  withPage('hostile.html', { viewport: { width: 1280, height: 2400 } }, async (page) => {
    for (const view of ['1', '2', '3']) {
      await page.keyboard.press(view);
      await page.keyboard.press('e');
      for (const row of await rowsOf(page)) assert.doesNotMatch(row, DANGEROUS);
      const made = await page.locator('#list').locator('img, script, b, iframe, a, style').count();
      assert.equal(made, 0, 'a name became an element');
    }
    const text = (await rowsOf(page)).join('\n');
    for (const shown of [
      '</script><img src=x onerror="window.harmed = \'script\'">',
      '<!--<script>--!>&lt;b&gt;<b onmouseover=window.harmed=1>bold</b>',
      'admin\\u{202e}gnp.exe\\u{2066}\\u{200b}\\u{feff}\\u{1b}[31m\\u{d}\\u{a}\\u{9}\\u{2028}end',
      'no trace: this poll has not returned, so the task blocks or computes on that thread',
      '__proto__',
      '${1}{{1}}',
    ]) {
      assert.ok(text.includes(shown), `${shown} in ${text.slice(0, 3_000)}`);
    }
    const titles = await page.locator('[title]').evaluateAll((all) => all.map((it) => it.title).join('\n'));
    assert.doesNotMatch(titles.replaceAll('\n', ''), DANGEROUS);
    assert.equal(await page.evaluate(() => ({}).polluted ?? Object.prototype.name), undefined);
  }));

test('the page escapes what text escapes', async () => {
  const page = await readFile(`${PAGES}/small.html`, 'utf8');
  const [, source] = /^const DANGEROUS = \/(.*)\/gu;$/m.exec(page);
  const isDangerous = new RegExp(source, 'u');
  const expected = new Set((await readFile(`${PAGES}/escaped.txt`, 'utf8')).split('\n').map(Number));
  const differ = [];
  for (let c = 0; c <= 0x10ffff; c++) {
    const isHalf = c >= 0xd800 && c < 0xe000;
    if (isDangerous.test(String.fromCodePoint(c)) !== (isHalf || expected.has(c))) differ.push(c.toString(16));
  }
  assert.deepEqual(differ, []);
});

test('a name of three megabytes is cut in the middle', () =>
  withPage('hostile.html', {}, async (page) => {
    await search(page, 'begin', '1 of 15 tasks');
    assert.ok((await rowsOf(page)).some((row) => /"begin.*…\(1,499,\d+ more\)….*end"/.test(row)));
    const length = await page.evaluate(() => document.querySelector('main').textContent.length);
    assert.ok(length < 10_000, `${length} characters in the document`);
  }));

test('hostile searches are searches', () =>
  withPage('hostile.html', {}, async (page) => {
    for (const [text, count] of [['</script>', '2 of 15 tasks'], ['(', '0 of 15 tasks'], ['window.harmed', '5 of 15 tasks'], ['${1}{{1}}', '1 of 15 tasks'], ['\\', '0 of 15 tasks'], ['__proto__', '1 of 15 tasks']]) {
      await search(page, text, count);
    }
    await page.locator('#search').fill('[a-z]+*');
    await counts(page, '0 of 15 tasks');
  }));

test('circles of parents are shown once each', () =>
  withPage('hostile.html', { viewport: { width: 1280, height: 2400 } }, async (page) => {
    await page.keyboard.press('2');
    await page.keyboard.press('e');
    await search(page, '#13', '1 of 15 tasks');
    await search(page, '#15', '1 of 15 tasks');
    await page.locator('#reset').click();
    const ids = (await page.locator('.row.task .strong').allTextContents()).map((text) => /^task (\d+)/.exec(text)?.[1]).filter(Boolean);
    assert.equal(new Set(ids).size, ids.length, `${ids}`);
  }));

test('a script that gets into the page all the same does not run, and can send nothing', async () => {
  const asked = [];
  const server = createServer((request, answer) => {
    asked.push(request.url);
    answer.end();
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  const address = `http://127.0.0.1:${server.address().port}`;
  const expected = ['Content Security Policy', 'TrustedScript', 'TrustedHTML', 'Refused', 'violates'];
  try {
    await withPage('hostile.html', { expected, allowed: '' }, async (page) => {
      const outcomes = await page.evaluate(async (to) => {
        const attempt = async (act) => {
          try {
            return String((await act()) ?? 'nothing');
          } catch (error) {
            return error.name;
          }
        };
        const insert = (tag, properties) => document.body.append(Object.assign(document.createElement(tag), properties));
        return [
          await attempt(() => insert('script', { textContent: 'window.harmed = "script"' })),
          await attempt(() => (document.body.innerHTML = '<img src=x onerror="window.harmed = 1">')),
          await attempt(() => insert('img', { src: `${to}/img` })),
          await attempt(() => insert('iframe', { src: `${to}/frame` })),
          await attempt(() => fetch(`${to}/fetch`)),
          await attempt(() => navigator.sendBeacon(`${to}/beacon`)),
        ];
      }, address);
      assert.deepEqual([outcomes[0], outcomes[1], outcomes[4]], ['TypeError', 'TypeError', 'TypeError']);
    });
    assert.deepEqual(asked, []);
  } finally {
    server.close();
  }
});
