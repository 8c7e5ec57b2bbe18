/** The version of the product. */
import { version } from '../package.json';

export const VERSION: string = version;
