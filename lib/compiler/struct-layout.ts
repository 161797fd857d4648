/**
 * Where fields go. Fields are placed in the order of their ordinals, each into the smallest hole that an earlier field
 * left, so that adding fields at the end never moves the others. These rules fix the wire format of every schema: each
 * decision here, even a wasteful one, is the one that the C++ compiler takes.
 *
 * Sizes are powers of two, given as their logarithm in bits (0 a Bool, 6 a word); offsets count in units of their size.
 */
const wordLgSize = 6;

/**
 * The unused space inside allocated words: at most one hole of each size below a word, kept as its offset. 0 is "no
 * hole", which is never ambiguous: the first bit of a section is always in use.
 */
class HoleSet {
  readonly #offsets = [0, 0, 0, 0, 0, 0];

  /** Space for `lgSize` out of the smallest hole that fits; undefined where none does. */
  tryAllocate(lgSize: number): number | undefined {
    let from = lgSize;
    while (from < wordLgSize && this.#offsets[from] === 0) from++;
    if (from >= wordLgSize) return undefined;
    let offset = this.#offsets[from]!;
    this.#offsets[from] = 0;
    while (from > lgSize) {
      from--;
      offset *= 2;
      this.#offsets[from] = offset + 1;
    }
    return offset;
  }

  /** Marks what is left of a `limit`-sized space after its first part, up to `offset`, was taken. */
  addHolesAtEnd(lgSize: number, offset: number, limit: number = wordLgSize): void {
    let at = offset;
    for (let size = lgSize; size < limit; size++) {
      this.#offsets[size] = at;
      at = (at + 1) / 2;
    }
  }

  /** Lets the space at `offset` swallow the holes that follow it, `factor` times doubling it. All or nothing. */
  tryExpand(lgSize: number, offset: number, factor: number): boolean {
    if (factor === 0) return true;
    if (this.#offsets[lgSize] !== offset + 1) return false;
    if (!this.tryExpand(lgSize + 1, offset >>> 1, factor - 1)) return false;
    this.#offsets[lgSize] = 0;
    return true;
  }

  /** Size of the smallest hole of at least `lgSize`. */
  smallestAtLeast(lgSize: number): number | undefined {
    for (let size = lgSize; size < wordLgSize; size++) if (this.#offsets[size] !== 0) return size;
    return undefined;
  }
}

/** Something that fields can be added to. */
export interface FieldScope {
  addVoid(): void;
  addData(lgSize: number): number;
  addPointer(): number;
  /** Doubles space that was handed out `factor` times, where what follows it is free. */
  tryExpandData(lgSize: number, offset: number, factor: number): boolean;
}

/** The sections of one struct. */
export class StructLayout implements FieldScope {
  dataWordCount = 0;
  pointerCount = 0;
  /**
   * Set where the space of a union inside a union had to grow. Cap'n Proto 0.5 and older laid such structs out wrongly
   * (capnproto issue 344): no layout would be compatible with all peers.
   */
  isAmbiguous = false;
  readonly #holes = new HoleSet();

  addVoid(): void {}

  addData(lgSize: number): number {
    const hole = this.#holes.tryAllocate(lgSize);
    if (hole !== undefined) return hole;
    const offset = this.dataWordCount++ * 2 ** (wordLgSize - lgSize);
    this.#holes.addHolesAtEnd(lgSize, offset + 1);
    return offset;
  }

  addPointer(): number {
    return this.pointerCount++;
  }

  tryExpandData(lgSize: number, offset: number, factor: number): boolean {
    return this.#holes.tryExpand(lgSize, offset, factor);
  }
}

/** Space that the members of a union share. */
class SharedData {
  lgSize: number;
  offset: number;

  constructor(lgSize: number, offset: number) {
    this.lgSize = lgSize;
    this.offset = offset;
  }

  tryExpandTo(union: UnionLayout, lgSize: number): boolean {
    if (lgSize <= this.lgSize) return true;
    if (!union.parent.tryExpandData(this.lgSize, this.offset, lgSize - this.lgSize)) return false;
    this.offset >>>= lgSize - this.lgSize;
    this.lgSize = lgSize;
    return true;
  }
}

/** A union: its members overlap, and a tag tells them apart once there are two. */
export class UnionLayout {
  readonly parent: FieldScope;
  readonly layout: StructLayout;
  /** In units of 16 bits; undefined until the tag is placed. */
  discriminantOffset: number | undefined;
  readonly data: SharedData[] = [];
  readonly pointers: number[] = [];
  #memberCount = 0;

  constructor(parent: FieldScope, layout: StructLayout) {
    this.parent = parent;
    this.layout = layout;
  }

  addData(lgSize: number): number {
    const offset = this.parent.addData(lgSize);
    this.data.push(new SharedData(lgSize, offset));
    return offset;
  }

  addPointer(): number {
    const offset = this.parent.addPointer();
    this.pointers.push(offset);
    return offset;
  }

  /** A lone field can become a union later: the tag is placed when the second member gets its first field. */
  addMember(): void {
    if (++this.#memberCount === 2) this.addDiscriminant();
  }

  /** False where the tag is placed already. */
  addDiscriminant(): boolean {
    if (this.discriminantOffset !== undefined) return false;
    this.discriminantOffset = this.parent.addData(4);
    return true;
  }
}

/** How much of one piece of shared space a member of the union uses. */
class SharedDataUse {
  #lgSizeUsed: number | undefined;
  readonly #holes = new HoleSet();

  constructor(lgSizeUsed?: number) {
    this.#lgSizeUsed = lgSizeUsed;
  }

  /** Size of the smallest free piece in which `lgSize` fits without growing the shared space. */
  smallestHoleAtLeast(space: SharedData, lgSize: number): number | undefined {
    const used = this.#lgSizeUsed;
    if (used === undefined) return lgSize <= space.lgSize ? space.lgSize : undefined;
    if (lgSize >= used) return lgSize < space.lgSize ? lgSize : undefined;
    return this.#holes.smallestAtLeast(lgSize) ?? (used < space.lgSize ? used : undefined);
  }

  /** Only after {@link smallestHoleAtLeast} found a place. */
  allocateFromHole(space: SharedData, lgSize: number): number {
    const used = this.#lgSizeUsed;
    let result: number;
    if (used === undefined) {
      result = 0;
      this.#lgSizeUsed = lgSize;
    } else if (lgSize >= used) {
      this.#holes.addHolesAtEnd(used, 1, lgSize);
      this.#lgSizeUsed = lgSize + 1;
      result = 1;
    } else {
      const hole = this.#holes.tryAllocate(lgSize);
      if (hole !== undefined) {
        result = hole;
      } else {
        result = 1 << (used - lgSize);
        this.#holes.addHolesAtEnd(lgSize, result + 1, used);
        this.#lgSizeUsed = used + 1;
      }
    }
    return space.offset * 2 ** (space.lgSize - lgSize) + result;
  }

  /** Makes room by growing the shared space. */
  tryAllocateByExpanding(union: UnionLayout, space: SharedData, lgSize: number): number | undefined {
    if (this.#lgSizeUsed === undefined) {
      if (!space.tryExpandTo(union, lgSize)) return undefined;
      this.#lgSizeUsed = lgSize;
      return space.offset * 2 ** (space.lgSize - lgSize);
    }
    const used = this.#lgSizeUsed;
    const grown = Math.max(used, lgSize) + 1;
    if (!this.#tryGrow(union, space, grown)) return undefined;
    this.#holes.addHolesAtEnd(used, 1, grown);
    const result = this.#holes.tryAllocate(lgSize);
    return result === undefined ? undefined : space.offset * 2 ** (space.lgSize - lgSize) + result;
  }

  /** Grows a field inside this use; `offset` is relative to the shared space. */
  tryExpand(union: UnionLayout, space: SharedData, lgSize: number, offset: number, factor: number): boolean {
    if (offset !== 0 || this.#lgSizeUsed !== lgSize) return this.#holes.tryExpand(lgSize, offset, factor);
    if (!this.#tryGrow(union, space, lgSize + factor)) return false;
    union.layout.isAmbiguous = true;
    return true;
  }

  #tryGrow(union: UnionLayout, space: SharedData, lgSize: number): boolean {
    if (lgSize > space.lgSize && !space.tryExpandTo(union, lgSize)) return false;
    this.#lgSizeUsed = lgSize;
    return true;
  }
}

/** A member of a union: a group, or a field on its own. */
export class UnionMemberLayout implements FieldScope {
  readonly #union: UnionLayout;
  readonly #uses: SharedDataUse[] = [];
  #pointersUsed = 0;
  #hasMembers = false;

  constructor(union: UnionLayout) {
    this.#union = union;
  }

  #addMember(): void {
    if (this.#hasMembers) return;
    this.#hasMembers = true;
    this.#union.addMember();
  }

  addVoid(): void {
    this.#addMember();
    // a union around this one must learn of the member too: its tag comes before its second member
    this.#union.parent.addVoid();
  }

  addData(lgSize: number): number {
    this.#addMember();
    const { data } = this.#union;
    let best: number | undefined;
    let bestSize = Number.POSITIVE_INFINITY;
    for (let i = 0; i < data.length; i++) {
      this.#uses[i] ??= new SharedDataUse();
      const hole = this.#uses[i]!.smallestHoleAtLeast(data[i]!, lgSize);
      if (hole !== undefined && hole < bestSize) {
        bestSize = hole;
        best = i;
      }
    }
    if (best !== undefined) return this.#uses[best]!.allocateFromHole(data[best]!, lgSize);
    for (let i = 0; i < data.length; i++) {
      const offset = this.#uses[i]!.tryAllocateByExpanding(this.#union, data[i]!, lgSize);
      if (offset !== undefined) return offset;
    }
    const offset = this.#union.addData(lgSize);
    this.#uses.push(new SharedDataUse(lgSize));
    return offset;
  }

  addPointer(): number {
    this.#addMember();
    return this.#union.pointers[this.#pointersUsed++] ?? this.#union.addPointer();
  }

  tryExpandData(lgSize: number, offset: number, factor: number): boolean {
    const misaligned = lgSize + factor > wordLgSize || (offset & ((1 << factor) - 1)) !== 0;
    for (const [i, use] of this.#uses.entries()) {
      const space = this.#union.data[i]!;
      if (space.lgSize < lgSize || offset >>> (space.lgSize - lgSize) !== space.offset) continue;
      const local = offset - space.offset * 2 ** (space.lgSize - lgSize);
      const expanded = use.tryExpand(this.#union, space, lgSize, local, factor);
      if (misaligned && expanded) this.#union.layout.isAmbiguous = true;
      return expanded;
    }
    return false;
  }
}
