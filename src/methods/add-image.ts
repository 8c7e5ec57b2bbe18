/** AddImage and AddImageTrusted: the same path, but for who says who made the image and when. */
import { checkImageOwnership } from '../access/ownership.ts';
import { ImageServerError } from '../errors.ts';
import { checkImageName } from '../image/names.ts';
import { type EncodedImage, patchImage } from '../wire/encoded-image.ts';
import { AddImageRequest, AddImageResponse } from '../wire/messages/imageserver.ts';
import { timeFromMillis } from '../wire/time.ts';
import { byUser } from './log-text.ts';
import type { Call, ImageUploadMethod } from './method.ts';
import { askedFor } from './old-replicas.ts';
import type { Services } from './services.ts';

async function add(
  services: Services,
  name: string,
  image: EncodedImage | null,
  call: Call,
  stamp: boolean,
): Promise<void> {
  call.subject = name;
  checkImageName(name);
  if (services.images.has(name)) throw new ImageServerError('IMAGE_EXISTS', 'image already exists');
  if (!image) throw new ImageServerError('INVALID_IMAGE', 'nil image');
  checkImageOwnership(call, services.images, name);
  services.log(`AddImage(${name})${byUser(call)}`);
  const stamped = stamp
    ? await patchImage(image, {
        createdBy: call.identity.user,
        createdOn: timeFromMillis(services.now()),
      })
    : image;
  const commit = () => services.images.add(name, stamped);
  if (services.master) await services.master.injectImage(name, stamped, commit);
  else await commit();
}

const common = {
  shape: 'imageUpload',
  public: false,
  unauthenticatedRead: false,
  mutates: true,
  request: AddImageRequest,
  reply: AddImageResponse,
} as const;

export const addImage: ImageUploadMethod = {
  ...common,
  name: 'ImageServer.AddImage',
  summary: 'Adds an image whose objects are here already; CreatedBy and CreatedOn are set by the server.',
  async handle(services, request, call) {
    await add(services, request.ImageName, request.image, call, true);
    return {};
  },
};

export const addImageTrusted: ImageUploadMethod = {
  ...common,
  name: 'ImageServer.AddImageTrusted',
  summary: 'Adds an image and keeps its CreatedBy and CreatedOn; used by replicas towards their master.',
  async handle(services, request, call) {
    await add(services, request.ImageName, request.image, call, false);
    // A replica has what it passes on.
    askedFor(services, call, request.ImageName);
    return {};
  },
};
