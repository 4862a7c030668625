"""Lists page by page: pages, pagination styles, prefetching and the paginator."""
