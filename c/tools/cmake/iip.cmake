# What every CMakeLists.txt of this project may use.

# ---- one build id for libiip and its plug-ins ----
# It names the release and the private interface between the two, so that a plug-in of another build is refused.
set(iip_private_headers
    c/core/include/iip/types.h c/core/include/iip/status.h c/core/include/iip/core.h c/io/port.h c/io/plugin.h)
set(iip_private_text "${CMAKE_C_COMPILER_ID} ${CMAKE_SIZEOF_VOID_P}")
foreach(header ${iip_private_headers})
    if(EXISTS ${PROJECT_SOURCE_DIR}/${header})
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${header})
        file(SHA256 ${PROJECT_SOURCE_DIR}/${header} digest)
        string(APPEND iip_private_text " ${digest}")
    endif()
endforeach()
string(SHA256 iip_private_digest "${iip_private_text}")
string(SUBSTRING ${iip_private_digest} 0 12 iip_private_digest)
set(IIP_BUILD_ID "${PROJECT_VERSION}-${iip_private_digest}")

# ---- flags ----
add_library(iip_flags INTERFACE)
target_compile_options(iip_flags INTERFACE -Wall -Wextra $<$<BOOL:${IIP_WERROR}>:-Werror>)
if(IIP_SANITIZE)
    add_compile_options(-fsanitize=${IIP_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${IIP_SANITIZE})
    if(IIP_SANITIZE MATCHES thread AND CMAKE_C_COMPILER_ID STREQUAL GNU)
        add_compile_options(-Wno-tsan) # it says that it does not see fences
    endif()
endif()

# iip_c_flags(TARGET): C11 with GNU extensions, our warnings, IIP_BUILD_ID. For everything outside the core.
function(iip_c_flags target)
    set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS ON)
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:iip_flags>)
    target_compile_definitions(${target} PRIVATE IIP_BUILD_ID="${IIP_BUILD_ID}")
endfunction()

# iip_core_flags(TARGET): the core's own rules: C89, no headers but our own.
function(iip_core_flags target)
    set_target_properties(${target} PROPERTIES
        C_STANDARD 90 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
    target_compile_options(${target} PRIVATE -pedantic-errors -nostdinc -fvisibility=hidden)
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:iip_flags>)
endfunction()

# ---- tests ----
# iip_test(NAME SOURCE... [LIBS lib...] [LABELS label...] [ARGS arg...] [ENV name=value...] [TIMEOUT seconds] [EXTERN])
# A program, and a ctest of the same name that runs it. Labels: "fast" (also runs in `ci/test fast`), "threads" (also
# runs under TSan), "privileged" (makes a network namespace of its own). Exit code 77 means "skipped".
# EXTERN: only the program; the directory registers its tests itself.
function(iip_test name)
    cmake_parse_arguments(PARSE_ARGV 1 T "EXTERN" "TIMEOUT" "LIBS;LABELS;ARGS;ENV")
    string(REPLACE "." "_" target test_${name})
    add_executable(${target} ${T_UNPARSED_ARGUMENTS})
    iip_c_flags(${target})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/c/tests)
    target_link_libraries(${target} PRIVATE ${T_LIBS})
    if(T_EXTERN)
        return()
    endif()
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 120)
    endif()
    add_test(NAME ${name} COMMAND ${target} ${T_ARGS})
    set_tests_properties(${name} PROPERTIES
        LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT} SKIP_RETURN_CODE 77 ENVIRONMENT "${T_ENV}")
endfunction()
