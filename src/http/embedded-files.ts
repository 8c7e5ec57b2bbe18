/** Files of the pages, all inside the executable: nothing is ever loaded from another host. */

import swaggerStyle from '../../node_modules/swagger-ui-dist/swagger-ui.css' with { type: 'file' };
import swaggerScript from '../../node_modules/swagger-ui-dist/swagger-ui-bundle.js' with { type: 'file' };
import icon from '../../public/icon.svg' with { type: 'file' };
import pageStyle from '../../public/page.css' with { type: 'file' };
import swaggerPageStyle from '../../public/swagger-page.css' with { type: 'file' };
import swaggerPageScript from '../../public/swagger-page.js' with { type: 'file' };

export interface EmbeddedFile {
  /** Where Bun finds it, inside the executable or beside the source. */
  readonly location: string;
  readonly type: string;
}

const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';

/** By the path under which the file is served. */
export const EMBEDDED_FILES: Readonly<Record<string, EmbeddedFile>> = {
  '/assets/page.css': { location: pageStyle, type: STYLE },
  '/assets/icon.svg': { location: icon, type: 'image/svg+xml' },
  '/assets/swagger-ui.css': { location: swaggerStyle, type: STYLE },
  '/assets/swagger-ui-bundle.js': { location: swaggerScript, type: SCRIPT },
  '/assets/swagger-page.js': { location: swaggerPageScript, type: SCRIPT },
  '/assets/swagger-page.css': { location: swaggerPageStyle, type: STYLE },
};
