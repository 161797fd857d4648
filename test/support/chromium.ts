import type { Browser, BrowserContextOptions, ConsoleMessage, Page } from "playwright-core";
import { skipInterop } from "./interop.ts";
import { isInstalled, RunningProcess } from "./processes.ts";

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const executable = async (): Promise<string | undefined> => {
  if (process.env.CAPSTAN_CHROMIUM !== undefined) return process.env.CAPSTAN_CHROMIUM;
  for (const name of names) {
    if (!(await isInstalled(name))) continue;
    const { stdout } = await new RunningProcess("sh", ["-c", `command -v ${name}`]).finished();
    return stdout.trim();
  }
  return undefined;
};

/**
 * A Chromium of its own, without a profile. Call it in a `before` hook: `browser = await launchChromium.call(this)`. Where there is
 * none, it skips the hook's tests, or fails them where CAPSTAN_REQUIRE_INTEROP is 1. CAPSTAN_CHROMIUM names another program.
 */
export async function launchChromium(this: Mocha.Context): Promise<Browser> {
  this.timeout(60_000);
  const executablePath = await executable();
  if (executablePath === undefined) {
    return skipInterop(this, "the page is tested in Chromium, which is not installed: apt-get install chromium");
  }
  const { chromium } = await import("playwright-core");
  return await chromium.launch({ executablePath, args });
}

/** A page, and what its program complained of. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors that were thrown and not caught, and what was logged as a warning or an error. */
  readonly complaints: string[];
}

/** Opens a page as a new visitor. */
export const openPage = async (
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> => {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error.stack ?? error)));
  page.on("console", (message: ConsoleMessage) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  await page.goto(url);
  return { page, complaints };
};
