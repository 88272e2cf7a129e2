# Every dependency is a Debian package found through pkg-config, except LLVM, which has its own CMake files.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

macro(hone_dependency name module package)
    pkg_check_modules(${name} IMPORTED_TARGET GLOBAL ${module})
    if(NOT ${name}_FOUND)
        message(FATAL_ERROR "${module} was not found. Install the Debian package ${package}, "
            "or run scripts/install-packages, which installs everything Hone needs.")
    endif()
    add_library(${name}::${name} ALIAS PkgConfig::${name})
endmacro()

hone_dependency(YAML yaml-0.1 libyaml-dev)
hone_dependency(JANSSON jansson libjansson-dev)
hone_dependency(SQLITE sqlite3 libsqlite3-dev)
hone_dependency(XXHASH libxxhash libxxhash-dev)
hone_dependency(PCRE2 libpcre2-8 libpcre2-dev)
hone_dependency(UTF8PROC libutf8proc libutf8proc-dev)
hone_dependency(HWLOC hwloc libhwloc-dev)
hone_dependency(SODIUM libsodium libsodium-dev)

# LLVM: only the code generator module links it (products.cmake).  llvm-config knows the paths.  Nothing of the search is
# cached, so that another HONE_LLVM_VERSION takes effect in a build folder that is already there.
function(llvm_ask tool result)
    execute_process(COMMAND ${tool} ${ARGN} OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE
        RESULT_VARIABLE failure ERROR_QUIET)
    if(failure)
        set(answer "")
    endif()
    set(${result} ${answer} PARENT_SCOPE)
endfunction()

# Accepts an llvm-config of the version asked for whose headers (package llvm-VERSION-dev) are installed too.
set(LLVM_CONFIG "")
set(llvm_versions ${HONE_LLVM_VERSION})
if(NOT llvm_versions)
    set(llvm_versions 19 20 18 17 16)
endif()
foreach(version ${llvm_versions})
    foreach(name llvm-config-${version} llvm-config)
        find_program(tool ${name} NO_CACHE)
        if(tool)
            llvm_ask(${tool} LLVM_VERSION --version)
            llvm_ask(${tool} LLVM_INCLUDE --includedir)
            if(LLVM_VERSION MATCHES "^${version}[.]" AND EXISTS ${LLVM_INCLUDE}/llvm-c/Core.h)
                set(LLVM_CONFIG ${tool})
                break()
            endif()
        endif()
        unset(tool)
    endforeach()
    if(LLVM_CONFIG)
        break()
    endif()
endforeach()
if(NOT LLVM_CONFIG)
    list(GET llvm_versions 0 version)
    list(JOIN llvm_versions ", " llvm_versions)
    message(FATAL_ERROR "LLVM ${llvm_versions} was not found. Install the Debian package llvm-${version}-dev, "
        "or name another version from 16 on with -DHONE_LLVM_VERSION=.")
endif()
llvm_ask(${LLVM_CONFIG} LLVM_LIBDIR --libdir)
llvm_ask(${LLVM_CONFIG} LLVM_LIBS --libs --link-shared)
if(NOT LLVM_LIBS)
    message(FATAL_ERROR "${LLVM_CONFIG} knows no shared libLLVM. Install a build of LLVM with one "
        "(Debian's llvm-19-dev has it).")
endif()
message(STATUS "LLVM ${LLVM_VERSION} (${LLVM_CONFIG})")

# CUDA is loaded at run time; compiling for it takes the toolkit's cuda.h.  Without it everything but the CUDA target builds.
find_path(CUDA_INCLUDE cuda.h PATHS /usr/local/cuda/include /usr/local/cuda/targets/x86_64-linux/include
    ENV CUDA_HOME ENV CUDA_PATH PATH_SUFFIXES include
    DOC "Folder of cuda.h of the CUDA toolkit; without it the CUDA target is left out")
if(CUDA_INCLUDE)
    message(STATUS "CUDA headers in ${CUDA_INCLUDE}")
else()
    message(STATUS "cuda.h was not found: building without the CUDA target")
endif()
