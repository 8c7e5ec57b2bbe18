import { SetDebugLevelRequest, SetDebugLevelResponse } from '../wire/messages/logger.ts';
import { defineUnary } from './method.ts';
import { checkLogger } from './remote-log.ts';

export const setDebugLevel = defineUnary({
  name: 'Logger.SetDebugLevel',
  summary: "Sets up to which level debug messages go to the server's log; -1 = none.",
  public: false,
  unauthenticatedRead: false,
  mutates: true,
  request: SetDebugLevelRequest,
  reply: SetDebugLevelResponse,
  handle(services, request, call) {
    checkLogger(request.Name);
    call.subject = String(request.Level);
    services.log(`Logger.SetDebugLevel(${request.Level})`);
    services.remoteLog.setLevel(request.Level);
    return {};
  },
});
