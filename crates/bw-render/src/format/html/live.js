// Asks the agent for a dump, and says in words what went wrong.

/** The agent ends every dump by its deadline, of a minute at most: later, nothing will come. */
const PATIENCE = 90_000;

class AgentError extends Error {}

const BROKE_OFF = 'The answer broke off: the program may have ended while it answered.';

/** What to do about an answer that is no dump. */
async function problemOf(answer) {
  // Short, and the agent's own words; but who knows what answers here.
  const said = (await answer.text().catch(() => '')).trim();
  const words = said === '' ? '' : ` It says: ${shortened(said, 500)}`;
  const again = answer.headers.get('retry-after');
  switch (answer.status) {
    case 401:
      return `The agent wants its token (401): load this page anew, and give it as the password.${words}`;
    case 403:
      return `The agent refuses this browser (403).${words}`;
    case 404:
      return `There is no agent at this address any more (404).${words}`;
    case 503:
      return `The agent could not answer now (503)${again === null ? '' : `; ask again in ${shortened(again, 20)} s`}.${words}`;
    default:
      return `The agent answered with an error (${answer.status}).${words}`;
  }
}

async function ask(path) {
  const address = new URL(path, location.href);
  // Who opens `http://x:TOKEN@…` has the browser know the token. `fetch` refuses such an address, which some browsers keep.
  address.username = '';
  address.password = '';
  let answer;
  try {
    answer = await fetch(address, { cache: 'no-store', credentials: 'same-origin', signal: AbortSignal.timeout(PATIENCE) });
  } catch (error) {
    if (error.name === 'TimeoutError') throw new AgentError(`No answer came within ${PATIENCE / 1000} s: the agent itself does not run.`);
    throw new AgentError('Nobody answers: the program has ended, was stopped, or cannot be reached.');
  }
  if (!answer.ok) throw new AgentError(await problemOf(answer));
  try {
    return await answer.text();
  } catch {
    throw new AgentError(BROKE_OFF);
  }
}

/** What stands before the columns in a page; in two parts, so that it does not stand here. */
const COLUMNS_MARK = 'id="dump"' + '>';

/** The columns in a page of a dump. No character of them ends the element that they are in. */
function columnsIn(page) {
  const at = page.indexOf(COLUMNS_MARK);
  const isWhole = page.trimEnd().endsWith('/html>');
  if (at < 0 && (isWhole || !page.startsWith('<!'))) return null;
  try {
    const data = page.slice(at + COLUMNS_MARK.length);
    return JSON.parse(data.slice(0, data.indexOf('<')));
  } catch {
    throw new AgentError(BROKE_OFF);
  }
}

/** A dump of the program that serves this page. Throws an `AgentError`. */
async function fetchDump() {
  const columns = columnsIn(await ask('dump?format=html'));
  try {
    return Dump.ofAnswer(columns);
  } catch (error) {
    throw new AgentError(`What was answered cannot be shown: ${shortened(error.message)}.`);
  }
}

/** What to call the program, such as `shop, pid 4711`, or nothing: it is no reason to show no dump. */
async function fetchSubject() {
  try {
    const { executable, pid } = JSON.parse(await ask('process'));
    return [executable && String(executable).split('/').pop(), pid && `pid ${pid}`].filter(Boolean).join(', ');
  } catch {
    return '';
  }
}

