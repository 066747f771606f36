import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { unxz } from '../../../lib/broker/bounds/xz.js';

/** Written by Python's `lzma.compress`, of JSON with repetitions near and far. */
const packed = Buffer.from(
  'fd377a585a000004e6d6b4460200210116000000742fe5a3e00d6302f05d003d888907343456683e7b2349c500e15f7cc440377d7192f8669884ceab994b98f3e2b3b120d1666d4fb713a0449892702cbb24ceaea5733a428a443141c62577eed97d2011052ffa0e8a01b82ebcec91145a53d284f9a047dae65f2d77b75efdc3943643ebc6a01b720bc4b34ee54decabbf97d7690488a5c2a190567e9da8da32056e1201fc7a7690b5e3a761f1ea9212a289c106b015b02265f7bf51a15daa7e2e2bf2994a47a6e6795d3dedb71f2d6c4b3710f064baf94ec60415c09f54251db6180deef43a77bbb30e92935e0e6e483efec52b941b5ba2b228691f320968614a503c9b027b0879304843ec742a01d1d8a27965890f36b717605e9eac30716948c98a07a7f7051ece2181b0fac55d0d0cb5d27e86ea672b4246ca02160ebaaff2b9afedcb2e234c3c176b2cdec8a844b6e7805a331d62d024331e3488642471b8b439c5009d35123e2550e14c97ef491ed3f3301b1ef61c9b33da9c45f348eb27a5dc682202ad8983ecee5aa9e1f3da25a7fa4d3f6ae5e7f1fbfe8e73b516c38602b2426ac0c5dc43749c5747b2e9eee304efd7410485c0db849753fd77409f646dca4edef00dd1a44e1e4e35ee0bbd24a1c84dd31f347fe05c9fc43b764e33b75a44ded3da6d100824d05143766c0741e820ff0087f32b98a78ee7b51f01538fc90e72421198485a4c70b0640c344c932da4db223d087aa96076712d580da01902a73cbd132a738c2c8c2cf4c44708105ece79096c70e7ebb9cfbc9d17a810fee4cf5e37f0391189e2f716ae7cf5b05a504a3cc73355b9492bb7ac3891034fd37bce97803f4420dd6f35ad53df4777ed529d7852f3aa188b9d3e23a71e4c805afa6a75d63edaa12ee7a3540b8a1d9a7adbe8f5b31f2c0ba4db7492188878084980b987724ebda9103d9ff0d2e182b2dff860f4d7ffa751fa45a2dbfce5baaf3ce6873839ee20a3564d9c83e7c50b497c1b9ae0e4b91ef8d909dd5f35fa0afea80dff6eff461976d737d925b5d26a6b5d9dd2f44ca40d7d08bfbacbc98d5f51f152ce18f9a3e5d241b21d5ecf120000c26657236d221dd000018c06e41a00001705cb6db1c467fb020000000004595a',
  'hex',
);
const length = 3_428;
const sha256 = '11c354f71794ca91dad7b458ffbed2379d5771a6b5aabcf43dca38c0404d0cfd';

it('reads what Python writes, up to the limit', () => {
  const read = unxz(packed, length);
  expect(read).toHaveLength(length);
  expect(createHash('sha256').update(read).digest('hex')).toBe(sha256);
  expect(() => unxz(packed, length - 1)).toThrow(RangeError);
});

it('reads a file of nothing', () => {
  const empty = Buffer.from('fd377a585a000004e6d6b446000000001cdf44211fb6f37d010000000004595a', 'hex');
  expect(unxz(empty, 10)).toHaveLength(0);
});

it.each([0, 5, 12, 13, 20, 30, 100, 700])('refuses what is cut after %i bytes', (at) => {
  expect(() => unxz(packed.subarray(0, at), length)).toThrow(/cut short|no .xz file/);
});

it('ends with whatever is damaged, within the limit', () => {
  for (let at = 0; at < packed.length; at += 5) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const damaged = Buffer.from(packed);
      damaged[at]! ^= flip;
      let read: Buffer = Buffer.alloc(0);
      try {
        read = unxz(damaged, 10_000);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
      expect(read.length).toBeLessThanOrEqual(10_000);
    }
  }
});
