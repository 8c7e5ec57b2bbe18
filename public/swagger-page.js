// Starts Swagger UI on our document. Long numbers are kept as they are written.
window.addEventListener('load', () => {
  window.ui = window.SwaggerUIBundle({
    url: '/swagger/json',
    dom_id: '#swagger-ui',
    deepLinking: true,
    docExpansion: 'list',
    defaultModelsExpandDepth: 0,
    displayOperationId: false,
    tryItOutEnabled: false,
    validatorUrl: null,
    presets: [window.SwaggerUIBundle.presets.apis],
    layout: 'BaseLayout',
  });
});
