import type { Fault } from '../bench/fault.js';
import { brokerFaults } from './broker-faults.js';
import { clusterFaults } from './cluster-faults.js';
import { lineFaults } from './line-faults.js';
import { processFaults } from './process-faults.js';
import { queueFaults } from './queue-faults.js';

export const allFaults: readonly Fault[] = [
  ...queueFaults,
  ...processFaults,
  ...brokerFaults,
  ...lineFaults,
  ...clusterFaults,
];
