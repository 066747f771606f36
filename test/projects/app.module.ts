import { Module } from '@nestjs/common';
import { OsloRpcModule } from 'nestjs-oslo-messaging';
import { SizesService } from './sizes.service.js';
import { VolumesEndpoint } from './volumes.endpoint.js';

@Module({
  imports: [
    OsloRpcModule.forRoot({ transportUrl: 'memory://' }),
    OsloRpcModule.forFeature([{ name: 'VOLUMES', topic: 'volumes' }]),
  ],
  controllers: [VolumesEndpoint],
  providers: [SizesService],
})
export class AppModule {}
