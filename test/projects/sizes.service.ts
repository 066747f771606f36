import { Injectable } from '@nestjs/common';

@Injectable()
export class SizesService {
  of(name: string): number {
    return name.length;
  }
}
