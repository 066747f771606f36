// Of the recording: a client whose service is gone.
import { OsloClient } from 'nestjs-oslo-messaging';

const images = new OsloClient({ transportUrl: process.argv[2], topic: 'images', timeout: 3, logEvents: false });
images.events.subscribe(() => undefined);
console.log("call('resize', { image: 'moon.png' })");
try {
  await images.call('resize', { image: 'moon.png' });
} catch (error) {
  console.log(`${error.name}: ${error.message}`);
  console.log(`reason: ${error.diagnosis.reason}, fault: ${error.fault}, retryable: ${error.retryable}`);
}
await images.close();
