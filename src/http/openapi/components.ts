/** Schemas of the document that are not messages of the table. */
import { Directory, Image } from '../../wire/messages/image.ts';
import { AddObjectResponse, CheckObjectsRequest } from '../../wire/messages/objectserver.ts';
import type { StructSchema } from '../../wire/schema.ts';

/** Messages that resource routes refer to. */
export const DOCUMENTED_MESSAGES: readonly StructSchema[] = [
  AddObjectResponse,
  CheckObjectsRequest,
  Directory,
  Image,
];

const PROBLEM = {
  type: 'object',
  description: 'A problem document (RFC 9457)',
  required: ['type', 'title', 'status', 'detail', 'code', 'requestId'],
  properties: {
    type: { type: 'string', description: 'A URN made of the code' },
    title: { type: 'string' },
    status: { type: 'integer', description: 'The HTTP status' },
    detail: { type: 'string', description: 'What went wrong, in words' },
    code: { type: 'string', description: 'Stable; what programs should look at' },
    requestId: { type: 'string', description: 'Names the request in the log of the server' },
  },
};
const ID = { oneOf: [{ type: 'string' }, { type: 'number' }], nullable: true };
const JSON_RPC_REQUEST = {
  type: 'object',
  required: ['jsonrpc', 'method'],
  additionalProperties: false,
  properties: {
    jsonrpc: { type: 'string', enum: ['2.0'] },
    id: { ...ID, description: 'Absent: a notification, which is not answered' },
    method: { type: 'string', example: 'ImageServer.CheckImage' },
    params: { type: 'object', description: 'The fields of the request' },
  },
};
const JSON_RPC_RESPONSE = {
  type: 'object',
  required: ['jsonrpc', 'id'],
  properties: {
    jsonrpc: { type: 'string', enum: ['2.0'] },
    id: ID,
    result: { description: 'The reply; a list for methods that stream' },
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'integer', description: '-32700, -32600 to -32603 as in JSON RPC; -32000 for ours' },
        message: { type: 'string' },
        data: {
          type: 'object',
          properties: {
            code: { type: 'string' },
            status: { type: 'integer' },
            requestId: { type: 'string' },
          },
        },
      },
    },
  },
};

export const ADDITIONAL_COMPONENTS = {
  Problem: PROBLEM,
  JsonRpcRequest: JSON_RPC_REQUEST,
  JsonRpcResponse: JSON_RPC_RESPONSE,
};
