// A browser, pages in it, and what must be true of each of them: no error, no request, nothing that ran.

import assert from 'node:assert/strict';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';

/** Where `pages` wrote, and the browser; `ci/browser` says. */
export const PAGES = process.env.BW_PAGES;
const BROWSER = process.env.BW_CHROMIUM;

let browser;

before(async () => {
  assert.ok(PAGES && BROWSER, 'run ci/browser');
  // As root, as in containers, it has no sandbox of its own.
  browser = await chromium.launch({ executablePath: BROWSER, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
});

after(() => browser?.close());

/**
 * Does something with a page, a file of PAGES or an address, and checks that there was no error on the console and no
 * request: `expected` are the errors, and `allowed` is the beginning of the addresses, that may be.
 */
export async function withPage(name, options, act) {
  const { expected = [], allowed = 'file:', wait = true, ...context } = options;
  const own = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...context });
  const errors = [];
  const requests = [];
  const page = await own.newPage();
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(error.stack));
  page.on('dialog', (dialog) => errors.push(`dialog: ${dialog.message()}`));
  page.on('request', (request) => {
    const url = request.url().replace(/^http:\/\/[^/@]*@/, 'http://');
    if (!/^(data|blob):/.test(url) && !url.startsWith(allowed)) requests.push(url);
  });
  try {
    await page.goto(/^http:/.test(name) ? name : pathToFileURL(path.join(PAGES, name)).href);
    if (wait) await page.waitForSelector('main[aria-busy=false]');
    await act(page);
    const unexpected = errors.filter((error) => !expected.some((part) => error.includes(part)));
    assert.deepEqual(unexpected, [], 'errors on the console');
    assert.deepEqual(requests, [], 'requests');
    assert.equal(await page.evaluate(() => window.harmed), undefined, 'a name ran as a script');
  } finally {
    await own.close();
  }
}

/** The texts of the rows that are in the document, without the signs for open and closed. */
export async function rowsOf(page) {
  const texts = await page.locator('.row').evaluateAll((rows) => rows.map((row) => row.textContent));
  return texts.map((text) => text.replace(/^[▸▾]/, ''));
}

/** The row that is active. */
export async function activeRow(page) {
  const id = await page.locator('#list').getAttribute('aria-activedescendant');
  assert.ok(id, 'no row is active');
  return (await page.locator(`#${id}`).textContent()).replace(/^[▸▾]/, '');
}

/** Waits until the count says so. */
export async function counts(page, text) {
  const isThere = page.waitForFunction((wanted) => document.querySelector('#count').textContent === wanted, text);
  // What it says instead is of more interest than that it did not.
  await isThere.catch(async () => assert.equal(await page.locator('#count').textContent(), text));
}

/** Searches, and waits until the count says so. */
export async function search(page, text, count) {
  await page.locator('#search').fill(text);
  await counts(page, count);
}
