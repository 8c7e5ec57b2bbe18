import { Directory } from '../wire/messages/image.ts';
import { defineStream } from './method.ts';

export const listDirectories = defineStream({
  name: 'ImageServer.ListDirectories',
  summary: 'Lists all image directories with their owner groups, "." first.',
  public: true,
  unauthenticatedRead: true,
  mutates: false,
  live: false,
  item: Directory,
  end: { Name: '', Metadata: { OwnerGroup: '' } },
  handle: (services) => services.images.directories(),
});
