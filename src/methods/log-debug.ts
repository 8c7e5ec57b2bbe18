import { DebugRequest, DebugResponse } from '../wire/messages/logger.ts';
import { defineUnary } from './method.ts';
import { checkLogger, logText } from './remote-log.ts';

export const logDebug = defineUnary({
  name: 'Logger.Debug',
  summary: "Writes a line to the server's log if its debug level is at least the one given.",
  public: false,
  unauthenticatedRead: false,
  mutates: false,
  request: DebugRequest,
  reply: DebugResponse,
  handle(services, request) {
    checkLogger(request.Name);
    services.remoteLog.debug(request.Level, `Logger.Debug(${request.Level}): ${logText(request.Args)}`);
    return {};
  },
});
