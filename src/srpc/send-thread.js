/**
 * The thread that sends big files on plain sockets, see file-sender.ts. It waits for the sockets by an epoll of its own:
 * the runtime tells of room for any byte, this one of room for a third of the buffer, which halves what a byte costs.
 */
import { dlopen } from 'bun:ffi';

/** One file that is being sent: `socket` (descriptor, also its name), `file`, `at`, `end`, when it was last told of. */
const jobs = new Map();

const EPOLLOUT = 0x4;
const EPOLLERR_OR_HUP = 0x18;
const CONTROL = { ADD: 1, DEL: 2 };
const CLOSE_ON_EXEC = 0x80000;

/** struct epoll_event is packed on one architecture only. */
const EVENT = process.arch === 'x64' ? { size: 12, data: 4 } : { size: 16, data: 8 };
const MAX_EVENTS = 64;
/** Bytes of a job in the pipe: socket and file as 32 bits, start and end as doubles. */
const JOB = 24;
/** Bytes that one socket may take before the next has its turn. */
const TURN = 4 * 1024 * 1024;
/** A file that moves is told of so often, ms. */
const TELL_MS = 500;

function load(library) {
  return dlopen(library, {
    sendfile: { args: ['i32', 'i32', 'ptr', 'u64'], returns: 'i64_fast' },
    epoll_create1: { args: ['i32'], returns: 'i32' },
    epoll_ctl: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' },
    epoll_wait: { args: ['i32', 'ptr', 'i32', 'i32'], returns: 'i32' },
    read: { args: ['i32', 'ptr', 'u64'], returns: 'i64_fast' },
    close: { args: ['i32'], returns: 'i32' },
  }).symbols;
}

/** Sends what comes through the pipe until nothing has come for a while. Messages: [socket, offset, whether it is over]. */
function run({ library, pipe, idleMs }) {
  const system = load(library);
  const poll = system.epoll_create1(CLOSE_ON_EXEC);
  const one = new Uint8Array(EVENT.size);
  const oneView = new DataView(one.buffer);
  const events = new Uint8Array(EVENT.size * MAX_EVENTS);
  const eventsView = new DataView(events.buffer);
  const taken = new Uint8Array(JOB * MAX_EVENTS);
  const takenView = new DataView(taken.buffer);
  const offset = new BigInt64Array(1);

  const control = (what, fd, interest) => {
    oneView.setUint32(0, interest, true);
    oneView.setUint32(EVENT.data, fd, true);
    return system.epoll_ctl(poll, what, fd, one);
  };
  const finish = (job) => {
    jobs.delete(job.socket);
    control(CONTROL.DEL, job.socket, 0);
    postMessage([job.socket, job.at, true]);
  };
  const take = () => {
    const length = Number(system.read(pipe, taken, taken.length));
    for (let at = 0; at + JOB <= length; at += JOB) {
      const job = {
        socket: takenView.getInt32(at, true),
        file: takenView.getInt32(at + 4, true),
        at: takenView.getFloat64(at + 8, true),
        end: takenView.getFloat64(at + 16, true),
        told: performance.now(),
      };
      jobs.set(job.socket, job);
      if (control(CONTROL.ADD, job.socket, EPOLLOUT) !== 0) finish(job);
    }
  };
  /** There is room: that nothing goes means that the file or the socket is at its end, which the other side finds out. */
  const send = (job) => {
    const start = job.at;
    while (job.at < job.end && job.at - start < TURN) {
      offset[0] = BigInt(job.at);
      const sent = Number(system.sendfile(job.socket, job.file, offset, Math.min(job.end - job.at, TURN)));
      if (sent <= 0) break;
      job.at += sent;
    }
    if (job.at === start || job.at === job.end) return finish(job);
    const now = performance.now();
    if (now - job.told < TELL_MS) return;
    job.told = now;
    postMessage([job.socket, job.at, false]);
  };

  control(CONTROL.ADD, pipe, 0x1);
  for (;;) {
    const count = system.epoll_wait(poll, events, MAX_EVENTS, idleMs);
    if (count === 0 && jobs.size === 0) break;
    for (let index = 0; index < count; index++) {
      const fd = eventsView.getUint32(index * EVENT.size + EVENT.data, true);
      const job = jobs.get(fd);
      if (fd === pipe) take();
      else if (job && eventsView.getUint32(index * EVENT.size, true) & EPOLLERR_OR_HUP) finish(job);
      else if (job) send(job);
    }
  }
  system.close(poll);
  postMessage('idle');
}

self.onmessage = ({ data }) => run(data);
