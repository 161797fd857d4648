// The server of one peer, in a process of its own: `node server.js PEER`. Prints its port when it listens.
const { serve } = await import(`./peer-${process.argv[2]}.js`);
console.log(await serve());
process.stdin.on("end", () => process.exit(0)).resume();
