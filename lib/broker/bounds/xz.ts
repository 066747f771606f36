/** Of 2^11: the probabilities of an LZMA decoder begin in the middle. */
const half = 1_024;
const probabilityBits = 11;
const adaptedBy = 5;
const states = 12;
const positionStates = 16;
const literalSize = 0x300;
/** Distances of more bits than these have their last four bits in a tree of their own. */
const endOfModels = 14;
const alignBits = 4;
const shortestMatch = 2;

/** The names of the parts of an .xz file are those of its specification; checks of integrity are left to JSON. */
const magic = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]);
const headerSize = 12;
const lzma2Filter = 0x21;
const sizesAndOtherFilters = 0xff;

/**
 * Decompresses what Python's `lzma.compress` writes: an .xz file of one block, with the filter LZMA2.
 *
 * @throws RangeError it is more than `longest` bytes
 * @throws Error it is no such file, or cut short
 */
export function unxz(content: Buffer, longest: number): Buffer {
  if (!content.subarray(0, magic.length).equals(magic)) throw new Error('no .xz file');
  const input = new ByteReader(content, headerSize);
  const size = (input.byte() + 1) * 4;
  if (size === 4) return Buffer.alloc(0);
  if (input.byte() & sizesAndOtherFilters || input.byte() !== lzma2Filter)
    throw new Error('no block as Python writes it');
  input.at = headerSize + size;
  return new Lzma2Decoder(input, new Output(longest, content.length)).decode();
}

class ByteReader {
  constructor(
    private readonly bytes: Buffer,
    public at: number,
  ) {}

  byte(): number {
    if (this.at >= this.bytes.length) throw new Error('cut short');
    return this.bytes[this.at++]!;
  }

  /** Of two bytes, the first is the greater. */
  pair(): number {
    return this.byte() * 256 + this.byte();
  }
}

/** The bytes so far: the dictionary as well. */
class Output {
  length = 0;
  private bytes: Buffer;
  /** Nothing before is referred to. */
  private beginning = 0;

  constructor(
    private readonly longest: number,
    compressed: number,
  ) {
    this.bytes = Buffer.allocUnsafe(Math.min(longest, compressed * 8));
  }

  get position(): number {
    return this.length - this.beginning;
  }

  get last(): number {
    return this.position === 0 ? 0 : this.bytes[this.length - 1]!;
  }

  reset(): void {
    this.beginning = this.length;
  }

  push(byte: number): void {
    if (this.length === this.longest) throw new RangeError('more than is taken');
    if (this.length === this.bytes.length) {
      this.bytes = Buffer.concat([this.bytes], Math.min(this.longest, Math.max(1_024, this.length * 2)));
    }
    this.bytes[this.length++] = byte;
  }

  /** The byte so far before the next one; 0: the last. */
  before(distance: number): number {
    if (distance >= this.position) throw new Error('refers to what is not there');
    return this.bytes[this.length - distance - 1]!;
  }

  taken(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}

class Lzma2Decoder {
  private chunk: LzmaDecoder | undefined;

  constructor(
    private readonly input: ByteReader,
    private readonly output: Output,
  ) {}

  decode(): Buffer {
    for (let control = this.input.byte(); control !== 0; control = this.input.byte()) {
      if (control >= 0x80) this.compressed(control);
      else if (control <= 2) this.stored(control);
      else throw new Error('no chunk of LZMA2');
    }
    return this.output.taken();
  }

  private stored(control: number): void {
    if (control === 1) this.output.reset();
    for (let left = this.input.pair() + 1; left > 0; left--) this.output.push(this.input.byte());
  }

  private compressed(control: number): void {
    const { input, output } = this;
    const size = (control & 0x1f) * 65_536 + input.pair() + 1;
    // The size of the compressed chunk, which its decoder finds by itself.
    input.pair();
    const reset = (control >> 5) & 3;
    if (reset === 3) output.reset();
    if (reset >= 2) this.chunk = new LzmaDecoder(input, output, input.byte());
    else if (reset === 1) this.chunk?.reset();
    if (!this.chunk) throw new Error('a chunk without properties');
    this.chunk.decode(size);
  }
}

/** Lengths of matches: short, middle and long ones. */
class LengthModel {
  readonly choice = probabilities(2);
  readonly short = probabilities(positionStates * 8);
  readonly middle = probabilities(positionStates * 8);
  readonly long = probabilities(256);
}

/** All that the decoder has learned. */
class LzmaModel {
  state = 0;
  /** The last four distances. */
  readonly distances = [0, 0, 0, 0];
  readonly isMatch = probabilities(states * positionStates);
  readonly isRepeated = probabilities(states);
  readonly isNotLast = probabilities(states);
  readonly isNotSecond = probabilities(states);
  readonly isNotThird = probabilities(states);
  readonly isLongRepeated = probabilities(states * positionStates);
  readonly slots = probabilities(4 * 64);
  readonly special = probabilities(1 + 128 - endOfModels);
  readonly align = probabilities(16);
  readonly lengths = new LengthModel();
  readonly repeatedLengths = new LengthModel();
  readonly literals: Uint16Array;

  constructor(literalBits: number) {
    this.literals = probabilities(literalSize << literalBits);
  }
}

/** LZMA, as its specification has it; the names follow that. */
class LzmaDecoder {
  private readonly contextBits: number;
  private readonly literalPositionMask: number;
  private readonly positionMask: number;
  private readonly literalBits: number;
  private model: LzmaModel;
  private range = 0;
  private code = 0;

  constructor(
    private readonly input: ByteReader,
    private readonly output: Output,
    properties: number,
  ) {
    const [lc, lp, pb] = [properties % 9, Math.floor(properties / 9) % 5, Math.floor(properties / 45)];
    if (lc + lp > 4 || pb > 4) throw new Error('no properties of LZMA2');
    this.contextBits = lc;
    this.literalBits = lc + lp;
    this.literalPositionMask = (1 << lp) - 1;
    this.positionMask = (1 << pb) - 1;
    this.model = new LzmaModel(this.literalBits);
  }

  reset(): void {
    this.model = new LzmaModel(this.literalBits);
  }

  decode(size: number): void {
    const { input, output } = this;
    if (input.byte() !== 0) throw new Error('no chunk of LZMA');
    this.range = 0xffffffff;
    this.code = input.pair() * 65_536 + input.pair();
    const end = output.length + size;
    while (output.length < end) this.next(end - output.length);
  }

  private next(room: number): void {
    const { model, output } = this;
    const positionState = output.position & this.positionMask;
    const at = model.state * positionStates + positionState;
    if (this.bit(model.isMatch, at) === 0) return this.literal();
    if (this.bit(model.isRepeated, model.state) === 0) return this.match(positionState, room);
    if (this.bit(model.isNotLast, model.state) === 0) {
      if (this.bit(model.isLongRepeated, at) === 0) {
        model.state = model.state < 7 ? 9 : 11;
        return output.push(output.before(model.distances[0]!));
      }
    } else {
      const { distances } = model;
      const which = this.bit(model.isNotSecond, model.state) === 0 ? 1 : 2 + this.bit(model.isNotThird, model.state);
      distances.unshift(...distances.splice(which, 1));
    }
    const length = this.length(model.repeatedLengths, positionState);
    model.state = model.state < 7 ? 8 : 11;
    this.copy(length + shortestMatch, room);
  }

  private literal(): void {
    const { model, output } = this;
    const context = output.last >> (8 - this.contextBits);
    const place = ((output.position & this.literalPositionMask) << this.contextBits) + context;
    const base = literalSize * place;
    let symbol = 1;
    if (model.state >= 7) {
      let matched = output.before(model.distances[0]!);
      while (symbol < 0x100) {
        const expected = (matched >> 7) & 1;
        matched <<= 1;
        const bit = this.bit(model.literals, base + ((1 + expected) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (bit !== expected) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.bit(model.literals, base + symbol);
    output.push(symbol & 0xff);
    model.state = model.state < 4 ? 0 : model.state - (model.state < 10 ? 3 : 6);
  }

  private match(positionState: number, room: number): void {
    const { model } = this;
    const length = this.length(model.lengths, positionState);
    model.distances.pop();
    model.distances.unshift(this.distance(Math.min(length, 3)));
    model.state = model.state < 7 ? 7 : 10;
    this.copy(length + shortestMatch, room);
  }

  private copy(length: number, room: number): void {
    if (length > room) throw new Error('a match beyond its chunk');
    const distance = this.model.distances[0]!;
    for (let left = length; left > 0; left--) this.output.push(this.output.before(distance));
  }

  private length({ choice, short, middle, long }: LengthModel, positionState: number): number {
    if (this.bit(choice, 0) === 0) return this.tree(short, positionState * 8, 3);
    if (this.bit(choice, 1) === 0) return 8 + this.tree(middle, positionState * 8, 3);
    return 16 + this.tree(long, 0, 8);
  }

  private distance(lengthState: number): number {
    const { model } = this;
    const slot = this.tree(model.slots, lengthState * 64, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = ((2 | (slot & 1)) << bits) >>> 0;
    if (slot < endOfModels) return base + this.reversedTree(model.special, base - slot, bits);
    const direct = this.direct(bits - alignBits) * (1 << alignBits);
    return base + direct + this.reversedTree(model.align, 0, alignBits);
  }

  private tree(model: Uint16Array, base: number, bits: number): number {
    let symbol = 1;
    for (let bit = 0; bit < bits; bit++) symbol = (symbol << 1) | this.bit(model, base + symbol);
    return symbol - (1 << bits);
  }

  private reversedTree(model: Uint16Array, base: number, bits: number): number {
    let [symbol, node] = [0, 1];
    for (let place = 0; place < bits; place++) {
      const bit = this.bit(model, base + node);
      node = (node << 1) | bit;
      symbol |= bit << place;
    }
    return symbol;
  }

  private direct(bits: number): number {
    let value = 0;
    for (let left = bits; left > 0; left--) {
      this.range >>>= 1;
      const bit = this.code >= this.range ? 1 : 0;
      if (bit === 1) this.code -= this.range;
      value = value * 2 + bit;
      this.normalize();
    }
    return value;
  }

  private bit(model: Uint16Array, at: number): 0 | 1 {
    const probability = model[at]!;
    const bound = (this.range >>> probabilityBits) * probability;
    if (this.code < bound) {
      this.range = bound;
      model[at] = probability + ((2 * half - probability) >> adaptedBy);
      this.normalize();
      return 0;
    }
    this.range -= bound;
    this.code -= bound;
    model[at] = probability - (probability >> adaptedBy);
    this.normalize();
    return 1;
  }

  private normalize(): void {
    if (this.range >= 0x1000000) return;
    this.range = (this.range << 8) >>> 0;
    this.code = ((this.code << 8) >>> 0) + this.input.byte();
  }
}

function probabilities(count: number): Uint16Array {
  return new Uint16Array(count).fill(half);
}
