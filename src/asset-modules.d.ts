/** Files that are embedded into the executable: importing one with `type: 'file'` gives where it is, with `text` its text. */
declare module '*.css' {
  const location: string;
  // biome-ignore lint/style/noDefaultExport: what Bun makes of such an import
  export default location;
}
declare module '*.svg' {
  const location: string;
  // biome-ignore lint/style/noDefaultExport: as above
  export default location;
}
declare module '*/swagger-ui-bundle.js' {
  const location: string;
  // biome-ignore lint/style/noDefaultExport: as above
  export default location;
}
declare module '*/swagger-page.js' {
  const location: string;
  // biome-ignore lint/style/noDefaultExport: as above
  export default location;
}
declare module '*-thread.js' {
  const source: string;
  // biome-ignore lint/style/noDefaultExport: as above
  export default source;
}
