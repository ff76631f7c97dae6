-- From a checkout: cd bindings/swig && luarocks --lua-version 5.4 make
rockspec_format = "3.0"
package = "iip"
version = "0.9.0-1"
source = { url = "file://." }
description = {
  summary = "A TCP/IP stack that you integrate",
  license = "Apache-2.0",
}
dependencies = { "lua ~> 5.4" }
build = {
  type = "cmake",
  variables = {
    CMAKE_BUILD_TYPE = "Release",
    CMAKE_INSTALL_PREFIX = "$(PREFIX)",
    IIP_LANGUAGES = "lua",
    IIP_LUA_LIBDIR = "$(LIBDIR)",
    IIP_LUA_DIR = "$(LUADIR)",
  },
}
