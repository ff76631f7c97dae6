/* lua_fork.c - fork, wait and _exit for the test of Lua, which has none of its own. */
#include <lua.h>
#include <sys/wait.h>
#include <unistd.h>

static int lua_fork(lua_State *L)
{
    lua_pushinteger(L, fork());
    return 1;
}

/* Waits for the child: its exit code, or -1. */
static int lua_wait(lua_State *L)
{
    int status = 0;
    pid_t child = waitpid((pid_t)lua_tointeger(L, 1), &status, 0);
    lua_pushinteger(L, child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return 1;
}

static int lua_exit(lua_State *L)
{
    _exit((int)lua_tointeger(L, 1));
}

int luaopen_lua_fork(lua_State *L);

int luaopen_lua_fork(lua_State *L)
{
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, lua_fork);
    lua_setfield(L, -2, "fork");
    lua_pushcfunction(L, lua_wait);
    lua_setfield(L, -2, "wait");
    lua_pushcfunction(L, lua_exit);
    lua_setfield(L, -2, "exit");
    return 1;
}
