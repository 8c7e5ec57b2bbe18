import { PrintRequest, PrintResponse } from '../wire/messages/logger.ts';
import { defineUnary } from './method.ts';
import { checkLogger, logText } from './remote-log.ts';

export const logPrint = defineUnary({
  name: 'Logger.Print',
  summary: "Writes a line to the server's log.",
  public: false,
  unauthenticatedRead: false,
  mutates: false,
  request: PrintRequest,
  reply: PrintResponse,
  handle(services, request) {
    checkLogger(request.Name);
    services.log(`Logger.Print(): ${logText(request.Args)}`);
    return {};
  },
});
