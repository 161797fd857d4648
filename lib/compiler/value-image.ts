/**
 * A value under construction, as the sections that it will have on the wire but not yet placed there. Placing all at
 * the end, parents before children, gives the order in which the C++ compiler's copy lays a value out.
 */
export type ValueImage = StructImage | ListImage;

export class StructImage {
  readonly data: DataView;
  readonly pointers: (ValueImage | undefined)[];

  constructor(dataWordCount: number, pointerCount: number) {
    this.data = new DataView(new ArrayBuffer(dataWordCount * 8));
    this.pointers = new Array<ValueImage | undefined>(pointerCount).fill(undefined);
  }
}

/** A copy with sections of this size: what does not fit is cut off. */
export function resized(image: StructImage, dataWordCount: number, pointerCount: number): StructImage {
  const fitting = new StructImage(dataWordCount, pointerCount);
  const size = Math.min(fitting.data.byteLength, image.data.byteLength);
  new Uint8Array(fitting.data.buffer).set(new Uint8Array(image.data.buffer, 0, size));
  for (let i = 0; i < pointerCount; i++) fitting.pointers[i] = image.pointers[i];
  return fitting;
}

export type ListImage =
  /** Elements of data; `size` is the wire's code for the element size, 0 to 5. */
  | { readonly which: "data"; readonly size: number; readonly count: number; readonly bytes: Uint8Array }
  | { readonly which: "pointers"; readonly elements: (ValueImage | undefined)[] }
  | {
      readonly which: "structs";
      readonly elements: StructImage[];
      readonly dataWordCount: number;
      readonly pointerCount: number;
    };

/** Text as a list of bytes, with the NUL that ends it. */
export function textImage(utf8: Uint8Array): ListImage {
  const bytes = new Uint8Array(utf8.length + 1);
  bytes.set(utf8);
  return dataImage(bytes);
}

export function dataImage(bytes: Uint8Array): ListImage {
  return { which: "data", size: 2, count: bytes.length, bytes };
}

const inlineComposite = 7;
const pointerSize = 6;

function wordsOf(image: ValueImage): number {
  if (image instanceof StructImage) return image.data.byteLength / 8 + image.pointers.length;
  if (image.which === "data") return (image.bytes.length + 7) >>> 3;
  if (image.which === "pointers") return image.elements.length;
  return 1 + image.elements.length * (image.dataWordCount + image.pointerCount);
}

function childrenOf(image: ValueImage): readonly (ValueImage | undefined)[] {
  if (image instanceof StructImage) return image.pointers;
  if (image.which === "pointers") return image.elements;
  return image.which === "structs" ? image.elements.flatMap((element) => element.pointers) : [];
}

/** What a value takes of a message, and how many pointers lead to what is deepest in it. */
export interface ImageSize {
  readonly words: number;
  readonly levels: number;
}

const nothing: ImageSize = { words: 0, levels: 0 };

/** The size of `image` and all below it. What is held several times counts each time, but is looked at once. */
export function sizeOf(image: ValueImage | undefined, known = new Map<ValueImage, ImageSize>()): ImageSize {
  if (image === undefined) return nothing;
  const measured = known.get(image);
  if (measured !== undefined) return measured;
  let words = wordsOf(image);
  let levels = 0;
  for (const child of childrenOf(image)) {
    const size = sizeOf(child, known);
    words += size.words;
    levels = Math.max(levels, size.levels);
  }
  const size = { words, levels: levels + 1 };
  known.set(image, size);
  return size;
}

/** One segment, unframed: the pointer to the value in word 0, what it points to behind it. No image: a null pointer. */
export function encodeImage(image: ValueImage | undefined): Uint8Array {
  const bytes = new Uint8Array(8 * (1 + sizeOf(image).words));
  if (image !== undefined) new Encoder(bytes).place(0, image);
  return bytes;
}

class Encoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #next = 1;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  place(pointer: number, image: ValueImage): void {
    const target = this.#next;
    this.#next += wordsOf(image);
    const distance = (target - pointer - 1) << 2;
    if (image instanceof StructImage) {
      // a struct of no size must not look like a null pointer
      const empty = wordsOf(image) === 0;
      this.#pointer(pointer, empty ? -4 : distance, this.#structSize(image.data.byteLength / 8, image.pointers.length));
      this.#struct(target, image);
    } else if (image.which === "data") {
      this.#pointer(pointer, distance | 1, (image.count << 3) | image.size);
      this.#bytes.set(image.bytes, target * 8);
    } else if (image.which === "pointers") {
      this.#pointer(pointer, distance | 1, (image.elements.length << 3) | pointerSize);
      this.#pointers(target, image.elements);
    } else {
      const { elements, dataWordCount, pointerCount } = image;
      const size = dataWordCount + pointerCount;
      this.#pointer(pointer, distance | 1, ((elements.length * size) << 3) | inlineComposite);
      this.#pointer(target, elements.length << 2, this.#structSize(dataWordCount, pointerCount));
      for (const [i, element] of elements.entries()) this.#struct(target + 1 + i * size, element);
    }
  }

  #pointer(word: number, low: number, high: number): void {
    this.#view.setInt32(word * 8, low, true);
    this.#view.setInt32(word * 8 + 4, high, true);
  }

  #structSize(dataWordCount: number, pointerCount: number): number {
    return dataWordCount | (pointerCount << 16);
  }

  #struct(word: number, { data, pointers }: StructImage): void {
    this.#bytes.set(new Uint8Array(data.buffer), word * 8);
    this.#pointers(word + data.byteLength / 8, pointers);
  }

  #pointers(word: number, images: readonly (ValueImage | undefined)[]): void {
    for (const [i, image] of images.entries()) if (image !== undefined) this.place(word + i, image);
  }
}
