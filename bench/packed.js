// Packing and unpacking the address book, beside the C++ library where it is installed (libcapnp-dev and a compiler).
import { spawn, spawnSync } from "node:child_process";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { addressBook, compileAddressBook } from "./addressbook.js";
import { compare, resultOf, verifySame } from "./measure.js";

const source = fileURLToPath(new URL("cpp/packed.cpp", import.meta.url));
const built = fileURLToPath(new URL("../dist/bench/", import.meta.url));

/** Path of the C++ program, built when it is missing or older than its source; undefined where it cannot be built. */
const buildProgram = async () => {
  const program = `${built}packed`;
  const times = await Promise.all([source, program].map((path) => stat(path).catch(() => undefined)));
  if (times[1] !== undefined && times[1].mtimeMs > times[0].mtimeMs) return program;
  const compiled = spawnSync("g++", ["-O2", "-std=c++17", source, "-o", program, "-lcapnp", "-lkj"]);
  if (compiled.status === 0) return program;
  console.log("without C++: bench/cpp/packed.cpp does not build here (it needs g++ and libcapnp-dev)");
  return undefined;
};

/** A running program: `batch` is what the harness wants of a contender. */
const start = (program, args) => {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (times) => {
    child.stdin.write(`${times}\n`);
    const { value, done } = await answers.next();
    if (done) throw new Error(`${program} ended`);
    const [bytes, ms] = value.split(" ").map(Number);
    return { bytes, ms };
  };
  return { ask, batch: async (times) => (await ask(times)).ms, end: () => child.stdin.end() };
};

const message = async () => {
  const { pack, unpack } = await import(new URL("../dist/package/index.js", import.meta.url));
  const { AddressBook } = await compileAddressBook();
  const bytes = AddressBook.newMessage(addressBook).toBytes();
  const packed = pack(bytes);
  verifySame("unpack", {
    bytes: Buffer.from(bytes).toString("base64"),
    unpacked: Buffer.from(unpack(packed)).toString("base64"),
  });
  await mkdir(built, { recursive: true });
  await writeFile(`${built}addressbook.bin`, bytes);
  await writeFile(`${built}addressbook.packed`, packed);
  return { pack, unpack, bytes, packed };
};

/** Megabytes of the unpacked message in a second. */
const measure = async (work, run, size, cppArguments, cppBytes) => {
  const program = await buildProgram();
  if (program === undefined)
    return resultOf(work, "MB/s", await compare({ capstan: { run } }), (ms) => size / ms / 1000);
  const cpp = start(program, cppArguments);
  try {
    verifySame(work, { capstan: cppBytes, "C++": (await cpp.ask(1)).bytes });
    const figures = await compare({ capstan: { run }, "C++": { batch: cpp.batch } });
    return resultOf(work, "MB/s", figures, (ms) => size / ms / 1000, "a third of C++");
  } finally {
    cpp.end();
  }
};

const packWork = async () => {
  const { pack, bytes, packed } = await message();
  return measure("pack", () => pack(bytes), bytes.length, ["pack", `${built}addressbook.bin`], packed.length);
};

const unpackWork = async () => {
  const { unpack, bytes, packed } = await message();
  const cppArguments = ["unpack", `${built}addressbook.packed`, String(bytes.length)];
  return measure("unpack", () => unpack(packed), bytes.length, cppArguments, bytes.length);
};

export const packedWorks = { pack: packWork, unpack: unpackWork };
