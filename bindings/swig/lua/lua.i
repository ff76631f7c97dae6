/* lua.i - Lua 5.4: integers stay integers, bytes are strings, an error is a table {status, name, errno, text}. */
%{
#include <stdlib.h>
#include <string.h>

static int iip_error_text(lua_State *L)
{
    lua_getfield(L, 1, "text");
    return 1;
}

/* Leaves the error on the stack. Its metatable, which makes it print as its text, is made once a state. */
static void iip_push_error(lua_State *L)
{
    int32_t status = flat_error_status();

    lua_createtable(L, 0, 4);
    lua_pushinteger(L, status);
    lua_setfield(L, -2, "status");
    lua_pushstring(L, iip_status_name(status));
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, iip_status_errno(status));
    lua_setfield(L, -2, "errno");
    lua_pushstring(L, flat_error_text());
    lua_setfield(L, -2, "text");
    if (luaL_newmetatable(L, "iip.error")) {
        lua_pushcfunction(L, iip_error_text);
        lua_setfield(L, -2, "__tostring");
    }
    lua_setmetatable(L, -2);
    flat_error_clear();
}

/* An integer of the range low .. high, or a number that is one; else an error of the argument. */
static lua_Integer iip_integer(lua_State *L, int at, lua_Integer low, lua_Integer high)
{
    lua_Integer value = luaL_checkinteger(L, at);
    luaL_argcheck(L, value >= low && value <= high, at, "the number is out of range");
    return value;
}

#define IIP_RAISE do { iip_push_error(L); SWIG_fail; } while (0)
%}

%define IIP_LUA_INTEGER(type, low, high)
%typemap(in, checkfn="lua_isnumber") type %{ $1 = (type)iip_integer(L, $input, low, high); %}
%typemap(typecheck, precedence=SWIG_TYPECHECK_INTEGER) type %{ $1 = lua_isinteger(L, $input); %}
%typemap(out) type %{ lua_pushinteger(L, (lua_Integer)$1); SWIG_arg++; %}
%enddef
IIP_LUA_INTEGER(uint64_t, LUA_MININTEGER, LUA_MAXINTEGER)
IIP_LUA_INTEGER(int64_t, LUA_MININTEGER, LUA_MAXINTEGER)
IIP_LUA_INTEGER(uint32_t, 0, UINT32_MAX)
IIP_LUA_INTEGER(int32_t, INT32_MIN, INT32_MAX)
IIP_LUA_INTEGER(uint16_t, 0, UINT16_MAX)

/* Constants are integers too: 4096, not 4096.0. */
%typemap(consttab) int { SWIG_LUA_CONSTTAB_INT("$symname", $value) }

%typemap(in, checkfn="lua_isstring") (const void *bytes, uint32_t len) %{
    { size_t n; $1 = (void *)lua_tolstring(L, $input, &n); luaL_argcheck(L, n <= INT32_MAX, $input, "too long");
      $2 = (uint32_t)n; }
%}
%typemap(out) struct flat_bytes %{
    if ($1.len < 0) { iip_note($1.len); IIP_RAISE; }
    lua_pushlstring(L, $1.at ? $1.at : "", (size_t)$1.len); SWIG_arg++;
    free($1.at);
%}
/* A turn's events are a table. */
%typemap(out) struct flat_events * %{
    if ($1) {
        uint32_t i;
        lua_createtable(L, (int)$1->n, 0);
        for (i = 0; i < $1->n; i++) {
            SWIG_NewPointerObj(L, flat_events_get($1, i), $descriptor(struct flat_event *), 1);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        SWIG_arg++;
        flat_events_free($1);
    }
%}

%init %{
    { const char *why = flat_check(); if (why) luaL_error(L, "%s", why); }
%}
