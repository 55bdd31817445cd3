/** A thread inside Node-RED that ends the process when the gateway is gone, also when a flow never lets go of the event loop. */

import { workerData } from 'node:worker_threads';

const LOOK_EVERY_MS = 1000;
const gateway = workerData as number;

setInterval(() => {
  if (process.ppid !== gateway) process.kill(process.pid, 'SIGKILL');
}, LOOK_EVERY_MS);
