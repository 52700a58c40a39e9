// How long 100,000 tasks take in the browser: medians, printed. Nothing here can fail but by breaking.

import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const TIMES = 9;

const median = (all) => [...all].sort((a, b) => a - b)[all.length >> 1];

const browser = await chromium.launch({
  executablePath: process.env.BW_CHROMIUM,
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});

/** Milliseconds from when something is done until the browser has drawn what came of it. */
function drawn(act) {
  return new Promise((done) => {
    const began = performance.now();
    act();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
  });
}

const address = pathToFileURL(`${process.env.BW_PAGES}/large.html`).href;
const loads = [];
let page;
for (let n = 0; n < TIMES; n++) {
  await page?.close();
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(address, { waitUntil: 'load' });
  await page.waitForSelector('main[aria-busy=false]');
  // From the beginning of navigation: reading the file, parsing, and the page's own script.
  loads.push(await page.evaluate(() => performance.getEntriesByType('navigation')[0].domComplete));
}
console.log(`${'load'.padEnd(44)} ${median(loads).toFixed(0).padStart(6)} ms`);

const measure = async (name, act, argument, undo = () => {}) => {
  const times = [];
  for (let n = 0; n < TIMES; n++) {
    times.push(await page.evaluate(`(${drawn})(() => (${act})(${JSON.stringify(argument)}))`));
    await page.evaluate(`(${undo})()`);
    await page.evaluate(() => new Promise((next) => requestAnimationFrame(() => setTimeout(next))));
  }
  console.log(`${name.padEnd(44)} ${median(times).toFixed(0).padStart(6)} ms`);
};
const type = (text) => {
  const search = document.querySelector('#search');
  search.value = text;
  search.dispatchEvent(new Event('input'));
};
const clear = () => document.querySelector('#reset').click();
const choose = ([id, value]) => {
  const select = document.querySelector(id);
  select.value = value;
  select.dispatchEvent(new Event('change'));
};
const click = (selector) => document.querySelector(selector).click();
const elements = () => page.evaluate(() => document.querySelectorAll('*').length);

for (const view of ['groups', 'tree', 'tasks']) {
  const other = view === 'groups' ? '#tab-tasks' : '#tab-groups';
  await measure(`${view}: show`, click, `#tab-${view}`, `() => document.querySelector('${other}').click()`);
  await page.click(`#tab-${view}`);
  await measure(`${view}: search "cart::" (a function)`, type, 'cart::', clear);
  await measure(`${view}: search "connection 4711" (a name)`, type, 'connection 4711', clear);
  await measure(`${view}: filter by state`, click, '#states [data-state=woken]', clear);
  await measure(`${view}: filter by time in state`, choose, ['#in-state', '3600000'], clear);
  await measure(`${view}: filter by crate`, choose, ['#crate', 'tokio'], clear);
  await measure(`${view}: expand all`, click, '#expand', `() => document.querySelector('#collapse').click()`);
  await page.click('#collapse');
  await measure(`${view}: go to the end`, (to) => {
    const list = document.querySelector('#list');
    list.scrollTop = to * list.scrollHeight;
  }, 1, `() => (document.querySelector('#list').scrollTop = 0)`);
  console.log(`${`${view}: elements`.padEnd(44)} ${String(await elements()).padStart(6)}`);
}
for (const column of ['name', 'in_state', 'where', 'spawned_at']) {
  await measure(`tasks: sort by ${column}`, click, `[data-sort=${column}]`);
}
await browser.close();
