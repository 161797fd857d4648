import { once } from "node:events";
import { basename } from "node:path";
import * as capnp from "capstan";
import { Store } from "../../servers/filestore/filestore.capnp.ts";
import { trust } from "../trust.ts";
import { download, upload } from "./client.ts";

/** Does one thing with a store, as its owner, and prints what came of it. */
export const runFileStore = async (address: string, ...[command, name, path]: readonly string[]): Promise<void> => {
  const named = (): string => {
    if (name === undefined) throw new Error(`${command} needs a name: see the usage of npm run client`);
    return name;
  };
  await using client = await capnp.connect(address, await trust(address, { identity: true }));
  using store = client.bootstrap(Store);
  const folder = () => store.folder().folder;

  switch (command) {
    case "list": {
      for (const { name, size, modified } of (await folder().list()).files) {
        console.log(`${new Date(Number(modified)).toISOString()} ${String(size).padStart(12)} ${printable(name)}`);
      }
      break;
    }
    case "put": {
      const { file } = folder().open({ name: basename(named()), mode: "write" });
      const { size, sha256 } = await upload(named(), file);
      console.log(`stored ${size} bytes, sha-256 ${sha256}`);
      break;
    }
    case "get": {
      const { file } = folder().open({ name: named(), mode: "read" });
      const { size, sha256 } = await download(file, path ?? basename(named()));
      console.log(`fetched ${size} bytes, sha-256 ${sha256}`);
      break;
    }
    case "remove": {
      await folder().open({ name: named(), mode: "write" }).file.remove();
      console.log(`removed ${named()}`);
      break;
    }
    case "share": {
      const { link, share } = await folder().share({ name: named() });
      console.log(`link: ${link}`);
      console.log("(works until this program ends: Ctrl-C)");
      await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM"), client.closed]);
      await share.revoke();
      console.log("revoked");
      break;
    }
    case "fetch": {
      if (path === undefined) throw new Error("fetch needs a link, and the file to write to");
      const { size, sha256 } = await download(store.open({ link: named() }).file, path);
      console.log(`fetched ${size} bytes, sha-256 ${sha256}`);
      break;
    }
    default:
      throw new Error(`filestore can list, put, get, remove, share and fetch, not ${command ?? "nothing"}`);
  }
};

/** What others have named must not command the terminal. */
const printable = (text: string): string => text.replace(/\p{Cc}/gu, "\u{fffd}");
