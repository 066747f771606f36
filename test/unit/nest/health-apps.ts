import { Controller, Get, type INestApplication, type ModuleMetadata, type Type } from '@nestjs/common';
import { ClientsModule } from '@nestjs/microservices';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import {
  ClientOsloRpc,
  NotificationModule,
  OnNotification,
  OsloEndpoint,
  OsloHealthIndicator,
  OsloMethod,
  OsloRpcModule,
} from '../../../lib/index.js';
import { moduleOf, startHybrid } from './nest-apps.js';

@Controller()
export class ProbeController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly oslo: OsloHealthIndicator,
  ) {}

  @Get('ready')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.oslo.check('oslo')]);
  }
}

@OsloEndpoint()
class SlowEndpoint {
  @OsloMethod()
  echo(args: object) {
    return args;
  }
}

class Audit {
  @OnNotification('info')
  heard() {
    return undefined;
  }
}

/** Everything that can be on a bus, and a probe: `client` is never used by the application itself. */
export function probedModule(transportUrl: string, more: ModuleMetadata = {}): Type {
  const quiet = { transportUrl, logEvents: false };
  const options = { ...quiet, topic: 'conductor' };
  return moduleOf({
    controllers: [ProbeController, SlowEndpoint, ...(more.controllers ?? [])],
    providers: [Audit],
    imports: [
      TerminusModule.forRoot({ logger: false }),
      OsloRpcModule.forRoot(quiet),
      OsloRpcModule.forFeature([{ name: 'CONDUCTOR', topic: 'conductor', timeout: 3 }]),
      NotificationModule.forRoot(quiet),
      ClientsModule.register([{ name: 'UNUSED', customClass: ClientOsloRpc, options }]),
    ],
  });
}

export interface ProbeAnswer {
  code: number;
  text: string;
  body: { status: string; error: object; details: { oslo: { status: string; message?: string; parts: object[] } } };
}

export async function probe(app: INestApplication): Promise<ProbeAnswer> {
  const response = await fetch(`${await app.getUrl()}/ready`);
  const text = await response.text();
  return { code: response.status, text, body: JSON.parse(text) as ProbeAnswer['body'] };
}

/** The application over HTTP and on the bus. */
export async function startProbed(transportUrl: string, more?: ModuleMetadata) {
  const hybrid = await startHybrid(probedModule(transportUrl, more), { server: { transportUrl } });
  return { ...hybrid, oslo: hybrid.app.get(OsloHealthIndicator, { strict: false }) };
}
