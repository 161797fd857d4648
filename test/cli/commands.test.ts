import { expect } from "chai";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../../lib/cli/run-command.ts";
import { recordedTerminal } from "../support/recorded-terminal.ts";
import { repositoryRoot } from "../support/repository.ts";

const run = async (...args: string[]) => {
  const terminal = recordedTerminal();
  const status = await runCommand(args, terminal);
  return { status, stdout: terminal.stdout.text, stderr: terminal.stderr.text };
};

describe("capstan", () => {
  it("id prints a new id with its first bit set, another one each time", async () => {
    const [first, second] = [await run("id"), await run("id")];
    expect(first.stdout).to.match(/^@0x[89a-f][0-9a-f]{15}\n$/);
    expect(second.stdout).not.to.equal(first.stdout);
    expect((await run("id", "x")).status).to.equal(2);
  });

  it("--version prints the version of the package", async () => {
    const { version } = JSON.parse(await readFile(join(repositoryRoot, "package.json"), "utf8")) as { version: string };
    expect(await run("--version")).to.deep.equal({ status: 0, stdout: `capstan ${version}\n`, stderr: "" });
  });

  it("--help lists the commands, and each has a --help of its own", async () => {
    const { status, stdout } = await run("--help");
    expect(status).to.equal(0);
    const names = [...stdout.matchAll(/^ {2}(\w+) {2,}[A-Z]/gm)].map(([, name]) => name!);
    expect(names).to.include.members(["compile", "id"]);
    for (const name of names) {
      const help = await run(name, "--help");
      expect(help.stdout).to.match(new RegExp(`^Usage: capstan ${name}\\b`));
      expect(await run("help", name)).to.deep.equal(help);
    }
  });

  it("an unknown command or option ends with status 2", async () => {
    for (const [args, text] of [
      [["frobnicate"], "there is no command frobnicate"],
      [["--frobnicate"], "unknown option --frobnicate"],
      [[], "no command given"],
    ] as const) {
      const { status, stdout, stderr } = await run(...args);
      expect(status).to.equal(2);
      expect(stdout).to.equal("");
      expect(stderr).to.equal(`capstan: ${text}\nTry 'capstan --help' for more information.\n`);
    }
  });
});
