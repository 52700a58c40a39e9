// The live page, served by a small stub of the agent that answers what it is told to.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import test from 'node:test';
import { PAGES, counts, rowsOf, search, withPage } from './harness.mjs';

const file = (name) => readFileSync(`${PAGES}/${name}`, 'utf8');
const json = (text) => (answer) => answer.writeHead(200, { 'content-type': 'application/json' }).end(text);
const html = (text) => (answer) => answer.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(text);
const error = (status, text, headers = {}) => (answer) => answer.writeHead(status, headers).end(text);

/**
 * Serves the live page with its policy. `agent.dump` answers when it is asked for a dump; `agent.asked` is what it was asked for
 * but for the page, and `agent.refuses` tells whether a request lacks the token.
 */
async function withAgent(dump, options, act) {
  const agent = { dump, asked: [] };
  const server = createServer((request, answer) => {
    if (agent.refuses?.(request)) {
      error(401, 'no token', { 'www-authenticate': 'Basic realm="agent"' })(answer);
      return;
    }
    if (request.url === '/debug/async/') {
      answer.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': file('policy.txt') });
      answer.end(file('live.html'));
      return;
    }
    agent.asked.push(request.url);
    if (request.url === '/debug/async/process') json(JSON.stringify({ executable: '/usr/bin/<b>shop', pid: 4711 }))(answer);
    else agent.dump(answer);
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  const address = `http://127.0.0.1:${server.address().port}/debug/async/`;
  agent.address = address;
  agent.stop = () => new Promise((stopped) => {
    server.close(stopped);
    server.closeAllConnections();
  });
  try {
    await withPage(address, { allowed: address, ...options }, (page) => act(page, agent));
  } finally {
    await agent.stop();
  }
}

const errorSays = (page, text) => page.waitForFunction((part) => document.querySelector('#error').textContent.includes(part), text);
/** What Chromium itself writes on the console about an answer that is an error. */
const FAILED = { expected: ['Failed to load resource'] };

test('a live page asks for a dump, and for what to call the program', () =>
  withAgent(html(file('small.html')), {}, async (page, agent) => {
    await counts(page, '16 tasks');
    await page.waitForFunction(() => document.title.startsWith('<b>shop, pid 4711'));
    assert.deepEqual(agent.asked, ['/debug/async/dump?format=html', '/debug/async/process']);
    assert.match(await page.locator('#notes .loud').textContent(), /^PARTIAL/);
    assert.equal(await page.locator('#error').isVisible(), false);
  }));

test('what the agent answers shows as what is in a file does, in every view and at every detail', async () => {
  const all = async (page) => {
    const seen = [];
    for (const view of ['1', '2', '3']) {
      await page.keyboard.press(view);
      for (const detail of ['user', 'library', 'full']) {
        await page.selectOption('#detail', detail);
        await page.locator('#list').focus();
        await page.keyboard.press('e');
        seen.push([view, detail, await page.locator('#footer').textContent(), ...(await rowsOf(page))]);
      }
    }
    seen.push(await page.locator('#crate option').allTextContents(), await page.locator('#summary').textContent());
    return seen;
  };
  for (const name of ['small', 'hostile']) {
    const viewport = { width: 1280, height: 4000 };
    let [ofFile, ofAnswer] = [];
    await withPage(`${name}.html`, { viewport }, async (page) => (ofFile = await all(page)));
    await withAgent(html(file(`${name}.html`)), { viewport }, async (page) => (ofAnswer = await all(page)));
    assert.deepEqual(ofAnswer, ofFile, name);
  }
});

test('refreshing shows what is new, and keeps what is open, chosen and searched', () =>
  withAgent(html(file('small.html')), {}, async (page, agent) => {
    await search(page, 'post', '9 of 16 tasks');
    await page.locator('.row.group').first().click();
    assert.equal(await page.locator('.row.group').first().getAttribute('aria-expanded'), 'false');
    agent.dump = html(file('later.html'));
    await page.getByRole('button', { name: 'Refresh' }).click();
    await counts(page, '9 of 14 tasks');
    assert.equal(await page.locator('.row.group').first().getAttribute('aria-expanded'), 'false');
    assert.equal(await page.locator('#notes .loud').count(), 0, 'it is not partial any more');
    await page.locator('#reset').click();
    agent.dump = html(file('small.html'));
    await page.locator('#list').focus();
    await page.keyboard.press('r');
    await counts(page, '16 tasks');
  }));

test('it asks again by itself when that is chosen, one time after the other, and stops when it is not', () =>
  withAgent(html(file('small.html')), {}, async (page, agent) => {
    await counts(page, '16 tasks');
    await page.waitForFunction(() => document.title !== 'backtrace-waker');
    await page.clock.install({ time: new Date('2026-11-25T03:00:00Z') });
    await page.clock.pauseAt(new Date('2026-11-25T03:10:00Z'));
    const dumps = () => agent.asked.filter((url) => url.includes('dump')).length;
    let held;
    agent.dump = (answer) => (held = () => html(file('later.html'))(answer));
    await page.selectOption('#every', '5');
    await page.clock.runFor(4_900);
    assert.equal(dumps(), 1);
    await page.clock.runFor(200);
    await page.waitForFunction(() => document.querySelector('#refresh').disabled);
    // However long the answer takes, nobody asks twice.
    await page.clock.runFor(60_000);
    assert.equal(dumps(), 2);
    held();
    await counts(page, '14 tasks');
    await page.selectOption('#every', '0');
    await page.clock.runFor(60_000);
    assert.equal(dumps(), 2);
  }));

test('a token in the address of the page is sent with what it asks for', () =>
  withAgent(html(file('small.html')), {}, async (page, agent) => {
    await page.waitForFunction(() => document.title !== 'backtrace-waker');
    const wanted = `Basic ${Buffer.from('x:secret').toString('base64')}`;
    agent.refuses = (request) => request.headers.authorization !== wanted;
    agent.asked = [];
    await page.goto(agent.address.replace('http://', 'http://x:secret@'));
    await counts(page, '16 tasks');
    await page.waitForFunction(() => document.title !== 'backtrace-waker');
    assert.deepEqual(agent.asked, ['/debug/async/dump?format=html', '/debug/async/process']);
  }));

test('what the agent says is told in words, and the last dump stays', () =>
  withAgent(html(file('small.html')), FAILED, async (page, agent) => {
    await counts(page, '16 tasks');
    for (const [answer, ...words] of [
      [error(503, 'another dump is being taken\n', { 'retry-after': '2' }), '(503); ask again in 2 s', 'It says: another dump is being taken'],
      [error(401, 'no token'), 'wants its token (401)', 'as the password'],
      [error(403, 'not from there'), 'refuses this browser (403)', 'not from there'],
      [error(404, ''), 'no agent at this address any more (404)'],
      [error(500, '<img src=x onerror="window.harmed = 1">\u202e'), 'an error (500)', '<img src=x', '\\u{202e}'],
      [json('{"format":"something else"}'), 'it is no task dump'],
      [html(file('live.html')), 'it is no task dump'],
      [html('<script id="dump">{"format":"backtrace-waker page","version":2}</script>'), 'it is of version 2'],
      [html('<script id="dump">{"format":"backtrace-waker page","version":1}</script>'), 'cannot be shown'],
      [html(file('small.html').slice(0, 5_000)), 'broke off'],
      [html(file('small.html').slice(0, -1_000)), 'broke off'],
      [(response) => response.socket.destroy(), 'Nobody answers'],
    ]) {
      agent.dump = answer;
      await page.getByRole('button', { name: 'Refresh' }).click();
      for (const part of words) await errorSays(page, part);
      await errorSays(page, 'What is below was taken at 2026-09-21T14:13:20.123Z');
      assert.equal(await page.locator('#count').textContent(), '16 tasks');
    }
    agent.dump = html(file('later.html'));
    await page.getByRole('button', { name: 'Refresh' }).click();
    await counts(page, '14 tasks');
    assert.equal(await page.locator('#error').textContent(), '');
    await agent.stop();
    await page.getByRole('button', { name: 'Refresh' }).click();
    await errorSays(page, 'Nobody answers: the program has ended');
  }));

test('a first answer that is an error is told as well', () =>
  withAgent(error(503, 'the answer is larger than its cap: filter, or raise the cap'), FAILED, async (page) => {
    await errorSays(page, 'larger than its cap');
  }));

test('halves of characters are shown escaped', () =>
  withAgent(html(file('small.html').replaceAll('supervisor', 'half \\ud83d of \\udc00')), {}, async (page) => {
    await counts(page, '16 tasks');
    assert.ok((await rowsOf(page)).some((row) => row.includes('"half \\u{d83d} of \\u{dc00}"')));
  }));
