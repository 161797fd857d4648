#!/usr/bin/env node
import { runPlugin } from "./plugin.ts";
import { processTerminal } from "./terminal.ts";

process.exitCode = await runPlugin(process.argv.slice(2), processTerminal());
