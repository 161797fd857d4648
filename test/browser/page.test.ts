import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { Browser, Page } from "playwright-core";
import { launchChromium, openPage, type WatchedPage } from "../support/chromium.ts";
import { Processes } from "../support/processes.ts";
import { repositoryRoot } from "../support/repository.ts";

const script = join(repositoryRoot, "dist", "servers", "main.js");
const pictures = join(repositoryRoot, "dist", "browser");

interface Button {
  readonly id: string;
  readonly dataset: Readonly<Record<string, string>>;
  readonly ariaLabel: string | null;
}

/** What buttons of the page are known by. It runs there. */
const namesOf = (given: unknown): string[] =>
  [given].flat().map((one) => {
    const { id, dataset, ariaLabel } = one as Button;
    return id || dataset.key || dataset.do || ariaLabel || "?";
  });

describe("the page in Chromium", function () {
  this.timeout(30_000);
  const processes = new Processes();
  const pressed = new Set<string>();
  let browser: Browser;
  let url: string;
  let server: ReturnType<Processes["start"]>;
  let visitors: WatchedPage[] = [];

  const serve = async (address: string): Promise<void> => {
    server = processes.start(process.execPath, [script, "browser", address]);
    [, url] = (await server.line(/^listening on (\S+)$/)) as unknown as [string, string];
  };

  before(async function () {
    browser = await launchChromium.call(this);
    await serve("127.0.0.1:0");
    await mkdir(pictures, { recursive: true });
  });
  after(async () => {
    await browser?.close();
    await processes.stop();
  });

  const visit = async (options: Parameters<typeof openPage>[2] = {}): Promise<Page> => {
    const visitor = await openPage(browser, url, options);
    visitors.push(visitor);
    await visitor.page.locator("#status[data-state=connected]").waitFor();
    return visitor.page;
  };
  /** Complaints so far; those about a server that is not there are Chromium's own, and cannot be kept quiet. */
  const complaints = (): string[] =>
    visitors.flatMap((one) => one.complaints).filter((text) => !/^WebSocket connection to .* failed/.test(text));
  afterEach(async () => {
    const heard = complaints();
    await Promise.all(visitors.map(({ page }) => page.context().close()));
    visitors = [];
    expect(heard).to.deep.equal([]);
  });

  const press = async (page: Page, selector: string): Promise<void> => {
    const button = page.locator(selector);
    for (const name of await button.evaluate(namesOf)) pressed.add(name);
    await button.click();
  };
  const key = (page: Page, text: string) => press(page, `[data-key="${text}"]`);
  const text = async (page: Page, selector: string): Promise<string> =>
    ((await page.locator(selector).textContent()) ?? "").trim();
  const becomes = async (page: Page, selector: string, hasText: string | RegExp): Promise<void> => {
    await page.locator(selector, { hasText }).first().waitFor();
  };
  const enter = async (page: Page, nick: string, room: string): Promise<void> => {
    await page.fill("#nick", nick);
    await page.fill("#room", room);
    await press(page, "#join-go");
    await page.locator("#text:enabled").waitFor();
  };
  const say = async (page: Page, words: string): Promise<void> => {
    await page.fill("#text", words);
    await press(page, "#say-go");
  };
  const people = (page: Page) => page.locator("#people li").allTextContents();

  it("is served with a policy that lets it load and connect nowhere else", async () => {
    const response = await fetch(url);
    expect(response.headers.get("content-security-policy")).to.include("default-src 'none'");
    expect((await fetch(new URL("/../package.json", url))).status).to.equal(404);
    expect((await fetch(url, { method: "POST" })).status).to.equal(405);
  });

  it("evaluates what is typed in one round trip, however many calls it takes", async () => {
    const page = await visit();
    await press(page, "[data-do=clear]");
    for (const one of ["(", "1", "2", " + ", "3", ")", " × ", "4", " − ", "5", "6", " ÷ ", "7", "8"])
      await key(page, one);
    await press(page, "[data-do=back]");
    expect(await page.inputValue("#expression")).to.equal("(12 + 3) × 4 − 56 ÷ 7");
    await press(page, "button.go");
    await becomes(page, "#result", /^52$/);
    expect(await page.locator("#steps li").allTextContents()).to.have.members([
      "12 + 3 = 15",
      "15 × 4 = 60",
      "56 ÷ 7 = 8",
      "60 − 8 = 52",
    ]);
    expect(await text(page, "#trips")).to.match(/^13 calls · 1 round trip · /);
    // The result is an object of the server, with which the next expression begins.
    await becomes(page, "#answer-place", "52, an object on the server");
    await press(page, "[data-do=clear]");
    for (const one of ["Ans", " × ", "0", ".", "9"]) await key(page, one);
    await page.press("#expression", "Enter");
    await becomes(page, "#result", /^46.8$/);
    expect(await text(page, "#trips")).to.match(/1 round trip · /);
  });

  it("says what it cannot read, and where", async () => {
    const page = await visit();
    await page.fill("#expression", "2 × (3 + ");
    await press(page, "button.go");
    await becomes(page, "#result.failed", "a number is missing at the end");
    await page.fill("#expression", "2 ? 3");
    await press(page, "button.go");
    await becomes(page, "#result.failed", "“?” is nothing to calculate with");
  });

  it("lends the server its functions, and its reader", async () => {
    const page = await visit();
    const lend = async (name: string, x: string, y: string): Promise<void> => {
      await page.selectOption("#function", name);
      await page.fill("#x", x);
      await page.fill("#y", y);
      await press(page, "#lend-go");
    };
    await lend("power", "2", "9");
    await becomes(page, "#lend-log .done", "the result is 1025");
    expect(await page.locator("#lend-log li").allTextContents()).to.deep.equal([
      "this page lends power and asks for power(2, 9) × 2 + 1",
      "the server calls power(2, 9) here",
      "this page answers 512",
      "the result is 1025",
    ]);
    await lend("hypotenuse", "3", "4");
    await becomes(page, "#lend-log .done", "the result is 11");
    await lend("dice", "3", "1");
    await becomes(page, "#lend-log .done", "the result is 7");
    await lend("you", "6", "7");
    await becomes(page, "#question-text", "The server asks you: what are 6 and 7 together?");
    await page.fill("#reply", "42");
    await press(page, "#reply-go");
    await becomes(page, "#lend-log .done", "the result is 85");
    await page.locator("#question").waitFor({ state: "hidden" });
  });

  it("lets two pages chat, and notices when one of them is gone", async () => {
    const [ada, bob] = [await visit(), await visit()];
    await enter(ada, "ada", "pier");
    await enter(bob, "bob", "pier");
    await becomes(ada, "#talk .event", "bob is here");
    expect(await people(ada)).to.deep.equal(["ada", "bob"]);
    await say(ada, "ahoy <b>bob</b>");
    await becomes(bob, "#talk .said", "ahoy <b>bob</b>");
    await say(bob, "ahoy, ada");
    await becomes(ada, "#talk .said:not(.mine)", "ahoy, ada");
    await press(bob, "#leave");
    await becomes(ada, "#talk .event", "bob has left");
    await enter(bob, "bob", "pier");
    await becomes(bob, "#talk .said.mine", "ahoy, ada");
    await bob.context().close();
    await becomes(ada, "#talk .event", "bob is gone");
    await becomes(ada, "#people-count", "You are alone here");
  });

  it("says that a name is taken, and that one is none", async () => {
    const [ada, other] = [await visit(), await visit()];
    await enter(ada, "ada", "quay");
    await other.fill("#nick", "ada");
    await other.fill("#room", "quay");
    await press(other, "#join-go");
    await becomes(other, "#chat-error", "the nick ada is taken");
    await other.fill("#nick", "a b");
    await press(other, "#join-go");
    await becomes(other, "#chat-error", '"a b" is no nick');
  });

  it("draws the messages of its connection, until it is told to pause", async () => {
    const page = await visit();
    await press(page, "#wipe");
    await press(page, "button.go");
    await becomes(page, "#messages .out.call", "Calculator.evaluate");
    await becomes(page, "#messages .in.return", "Value.read");
    await page.locator("#messages .bookkeeping").first().waitFor({ state: "hidden" });
    await page.check("#bookkeeping");
    await page.locator("#messages .bookkeeping").first().waitFor({ state: "visible" });
    await press(page, "#wipe");
    expect(await page.locator("#messages li").count()).to.equal(0);
    await press(page, "#pause");
    await press(page, "button.go");
    await becomes(page, "#result", /^39$/);
    expect(await page.locator("#messages li").count()).to.equal(0);
    await press(page, "#pause");
    await press(page, "button.go");
    await page.locator("#messages li").first().waitFor();
    expect(await text(page, "#figures")).to.match(/^\d+ sent · \d+ received · \d+ round trips?$/);
  });

  it("says when the server is gone, keeps what is asked meanwhile, and is back when the server is", async () => {
    const [ada, bob] = [await visit(), await visit()];
    await enter(ada, "ada", "mole");
    await enter(bob, "bob", "mole");
    await press(ada, "button.go");
    await becomes(ada, "#answer-place", "an object on the server");
    await server.kill();
    for (const page of [ada, bob]) {
      await page.locator("#status[data-state=disconnected]").waitFor();
      await becomes(page, "#gone", "The server cannot be reached");
      await becomes(page, "#talk .event", "the connection is lost");
    }
    expect(await ada.locator("#say-go").isEnabled()).to.equal(false);
    await becomes(ada, "#answer-place", "a number known here");
    await ada.fill("#expression", "Ans + 3");
    await press(ada, "button.go");
    await becomes(ada, "#result", "waits for the server");
    await becomes(ada, "#status-text", "call waits");
    await ada.screenshot({ path: join(pictures, "gone.png"), fullPage: true });
    await serve(new URL(url).host);
    for (const page of [ada, bob]) {
      await page.locator("#status[data-state=connected]").waitFor();
      await page.locator("#gone").waitFor({ state: "hidden" });
      await page.locator("#text:enabled").waitFor();
    }
    await becomes(ada, "#result", /^42$/);
    await say(ada, "still there?");
    await becomes(bob, "#talk .said", "still there?");
    expect(await people(ada)).to.deep.equal(["ada", "bob"]);
  });

  it("has no room for more than its width, and can be looked at, in light and dark", async () => {
    const [page, guest] = [await visit({ deviceScaleFactor: 2 }), await visit()];
    await enter(page, "ada", "harbour");
    await enter(guest, "grace", "harbour");
    await say(guest, "The calculator answers in one round trip. How?");
    await becomes(page, "#talk .said", "How?");
    await say(page, "A result is an object. You may use it before it is there.");
    await becomes(guest, "#talk .said", "before it is there");
    await say(guest, "So nothing waits.");
    await becomes(page, "#talk .said", "So nothing waits.");
    await press(page, "#lend-go");
    await becomes(page, "#lend-log .done", "1025");
    await press(page, "button.go");
    await becomes(page, "#result", /^39$/);
    for (const [size, viewport] of Object.entries({
      wide: { width: 1400, height: 940 },
      middle: { width: 900, height: 900 },
      narrow: { width: 360, height: 780 },
    })) {
      await page.setViewportSize(viewport);
      const overflow = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
      expect(overflow, size).to.be.at.most(0);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        const { byteLength } = await page.screenshot({
          path: join(pictures, `${colorScheme}-${size}.png`),
          fullPage: true,
        });
        expect(byteLength).to.be.greaterThan(20_000);
      }
    }
  });

  it("has no button that these tests have not pressed", async () => {
    const page = await visit();
    const all = await page.locator("button").evaluateAll(namesOf);
    expect(all.length).to.be.greaterThan(25);
    expect(all.filter((name) => !pressed.has(name))).to.deep.equal([]);
  });
});
