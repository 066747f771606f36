import { OsloEndpoint, OsloMethod } from 'nestjs-oslo-messaging';
import { SizesService } from './sizes.service.js';

/** Is given its service by the type alone: the compiler of the project has to write that down. */
@OsloEndpoint()
export class VolumesEndpoint {
  constructor(private readonly sizes: SizesService) {}

  @OsloMethod()
  size({ name }: { name: string }) {
    if (name === '') throw new RangeError('a volume has a name');
    return this.sizes.of(name);
  }
}
