// Loaded into a command that is recorded: the broker's names are those that a reader has, and lead to ours.
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import os from 'node:os';

/** `host:port` as it is typed, and the port on this machine. */
const ports = JSON.parse(process.env.RECORDED_PORTS);
const { connect } = net.Socket.prototype;

net.Socket.prototype.connect = function connectHere(...args) {
  // `net.connect` hands over a list that it has made of its own arguments.
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  const port = ports[`${options.host}:${options.port}`];
  if (port !== undefined) Object.assign(options, { host: '127.0.0.1', port });
  return connect.apply(this, args);
};
os.hostname = () => 'admin1';
syncBuiltinESMExports();
