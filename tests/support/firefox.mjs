// Drives headless Firefox over WebDriver BiDi for tests/support/firefox.py: one order a line of JSON on standard input,
// {id, op, ...}, answered in any order by {id, value} or {id, error}. Ends, and Firefox with it, when the input ends.
import { createInterface } from "node:readline";
import puppeteer from "puppeteer-core";

const PREFERENCES = {
  // Pages behind the front one must run at full speed: two peers talk at once.
  "dom.min_background_timeout_value": 4,
  "dom.timeout.enable_budget_timer_throttling": false,
  "dom.timeout.throttling_delay": -1,
};
// A violation of the policy is told to the document only.
const TELL_VIOLATIONS = () => {
  document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI}`);
  });
};

const [executablePath] = process.argv.slice(1);
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath,
  headless: true,
  extraPrefsFirefox: PREFERENCES,
  protocolTimeout: 600_000,
});
const pages = new Map();
const jobs = new Map();
let numbers = 0;

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const OPERATIONS = {
  async newPage({ shareWith }) {
    const context = shareWith === null ? await browser.createBrowserContext() : pages.get(shareWith).context;
    const page = await context.newPage();
    const console = [];
    await page.evaluateOnNewDocument(TELL_VIOLATIONS);
    page.on("console", (message) => {
      console.push(`${message.type() === "error" ? "SEVERE" : message.type().toUpperCase()} ${message.text()}`);
    });
    page.on("pageerror", (error) => console.push(`SEVERE ${error.stack ?? error}`));
    page.on("requestfailed", (request) => {
      const reason = request.failure()?.errorText ?? "failed";
      // What a page gives up because it is left is no fault of the page.
      if (reason !== "NS_BINDING_ABORTED") console.push(`SEVERE ${request.url()} ${reason}`);
    });
    page.on("response", (response) => {
      if (response.status() >= 400) console.push(`SEVERE ${response.url()} ${response.status()}`);
    });
    pages.set((numbers += 1), { page, context, console });
    return numbers;
  },
  async open({ page, url }) {
    await pages.get(page).page.goto(url);
  },
  async start({ page, script, values }) {
    const running = pages.get(page).page.evaluate(`{ const values = ${JSON.stringify(values)}; ${script} }`);
    running.catch(() => {}); // told to whoever waits
    jobs.set((numbers += 1), running);
    return numbers;
  },
  async wait({ job, seconds }) {
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, seconds * 1000, null)));
    const text = await Promise.race([jobs.get(job), late]);
    clearTimeout(timer);
    if (text !== null) jobs.delete(job);
    return text;
  },
  async click({ page, selector }) {
    await pages.get(page).page.click(selector);
  },
  async fill({ page, selector, text, enter }) {
    const { page: filled } = pages.get(page);
    await filled.click(selector, { count: 3 });
    await filled.keyboard.press("Delete");
    await filled.keyboard.type(text);
    if (enter) await filled.keyboard.press("Enter");
  },
  async console({ page }) {
    return pages.get(page).console.splice(0);
  },
  async close({ page }) {
    const { page: closing, context } = pages.get(page);
    pages.delete(page);
    const shared = [...pages.values()].some((each) => each.context === context);
    await (shared ? closing.close() : context.close());
  },
};

say({ id: 0, value: await browser.version() });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, op, ...order } = JSON.parse(line);
  OPERATIONS[op](order).then(
    (value) => say({ id, value: value ?? null }),
    (error) => say({ id, error: String(error.stack ?? error) }),
  );
}
await browser.close();
process.exit(0);
