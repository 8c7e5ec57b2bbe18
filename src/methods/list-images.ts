import type { LinesMethod } from './method.ts';

export const listImages: LinesMethod = {
  shape: 'lines',
  name: 'ImageServer.ListImages',
  summary: 'Lists the names of all images.',
  public: true,
  unauthenticatedRead: true,
  mutates: false,
  handle: (services) => services.images.listing(),
};
