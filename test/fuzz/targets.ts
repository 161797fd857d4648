import { CapnpError } from "../../lib/errors.ts";
import { compile } from "../../lib/compiler/compiler.ts";
import { formatDiagnostic } from "../../lib/compiler/diagnostics.ts";
import { SchemaLoader } from "../../lib/schema/loader.ts";
import { decodeCompiledSchema, encodeCompiledSchema } from "../../lib/schema/node-codec.ts";
import { schemaTexts } from "../../lib/std/schema-texts.ts";

/** What is fuzzed: given any bytes, it ends in time, in memory, and throws nothing but a CapnpError. */
export const targets = {
  /** The bytes are a schema file. What compiles without diagnostics has to load, too. */
  compiler(bytes: Uint8Array): void {
    const readSource = (path: string) => (path === "a.capnp" ? bytes : schemaTexts[path.replace(/^std\//, "/")]);
    const { schema, diagnostics } = compile(["a.capnp"], { readSource, importPath: ["std"] });
    for (const one of diagnostics) {
      if (one.start.line < 1 || one.start.column < 1 || one.end.offset < one.start.offset) {
        throw new Error(`a diagnostic is nowhere: ${formatDiagnostic(one)}`);
      }
    }
    if (diagnostics.length > 0) return;
    try {
      new SchemaLoader().loadAll(decodeCompiledSchema(encodeCompiledSchema(schema)));
    } catch (error) {
      throw new Error(`what compiles does not load: ${(error as Error).message}`, { cause: error });
    }
  },

  /** The bytes are a CodeGeneratorRequest: all its nodes become classes, and all their defaults are read. */
  loader(bytes: Uint8Array): void {
    refusing(() => {
      const loader = new SchemaLoader();
      refusing(() => loader.loadAll(decodeCompiledSchema(bytes)));
      for (const { id } of loader.nodes()) refusing(() => useSchema(loader, id));
    });
  },

  /** What is decoded encodes to the same again. */
  codec(bytes: Uint8Array): void {
    refusing(() => {
      const once = encodeCompiledSchema(decodeCompiledSchema(bytes));
      const twice = encodeCompiledSchema(decodeCompiledSchema(once));
      if (Buffer.compare(once, twice) !== 0) throw new Error("decoding and encoding again gives another message");
    });
  },
} as const satisfies Record<string, (bytes: Uint8Array) => void>;

export type TargetName = keyof typeof targets;

function refusing(use: () => void): void {
  try {
    use();
  } catch (error) {
    if (!(error instanceof CapnpError)) throw error;
  }
}

function useSchema(loader: SchemaLoader, id: bigint): void {
  const schema = loader.get(id);
  loader.declare(schema);
  refusing(() => void schema.annotations);
  if (schema.which !== "struct") return;
  const builder = schema.structClass.newMessage();
  for (const { name } of schema.fields) refusing(() => void (builder as unknown as Record<string, unknown>)[name]);
  refusing(() => void String(builder));
}
