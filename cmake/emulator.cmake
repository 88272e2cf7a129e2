# The stand-in CUDA driver: lib/hone/emulator/libcuda.so.1, built where the toolkit's cuda.h is.  It takes what it needs of
# base/ into itself and shows nothing but the driver's functions, so that it can be loaded beside libhone.
if(NOT CUDA_INCLUDE)
    return()
endif()
file(GLOB emulator_files CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} emulator/*.c)
list(FILTER emulator_files EXCLUDE REGEX "emulator/cublaslt")
add_library(hone_emulator SHARED ${emulator_files} base/arena.c base/clock.c base/fault.c base/memory.c base/status.c
    base/text.c base/text_convert.c)
target_include_directories(hone_emulator SYSTEM PRIVATE ${CUDA_INCLUDE})
# Registers hold any type of their width, and integers wrap.
target_compile_options(hone_emulator PRIVATE -O3 -fno-strict-aliasing -fwrapv)
set_source_files_properties(emulator/ops_rounded.c PROPERTIES COMPILE_OPTIONS -frounding-math)
target_link_options(hone_emulator PRIVATE -Wl,--no-undefined
    -Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/emulator.map)
target_link_libraries(hone_emulator PRIVATE Threads::Threads ${CMAKE_DL_LIBS} m)
set_target_properties(hone_emulator PROPERTIES OUTPUT_NAME cuda VERSION 1 SOVERSION 1
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/hone/emulator LINK_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/emulator.map)
install(FILES $<TARGET_FILE:hone_emulator> DESTINATION ${CMAKE_INSTALL_LIBDIR}/hone/emulator RENAME libcuda.so.1)
# The stand-in cuBLASLt beside it, where its header is too.
if(EXISTS ${CUDA_INCLUDE}/cublasLt.h)
    file(GLOB cublaslt_files CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} emulator/cublaslt*.c)
    add_library(hone_emulator_cublaslt SHARED ${cublaslt_files} emulator/number.c emulator/ptx_type.c base/arena.c
        base/fault.c base/memory.c base/status.c base/text.c base/text_convert.c)
    target_include_directories(hone_emulator_cublaslt SYSTEM PRIVATE ${CUDA_INCLUDE})
    target_compile_options(hone_emulator_cublaslt PRIVATE -O3 -fno-strict-aliasing)
    target_link_options(hone_emulator_cublaslt PRIVATE -Wl,--no-undefined
        -Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/emulator.map)
    target_link_libraries(hone_emulator_cublaslt PRIVATE Threads::Threads ${CMAKE_DL_LIBS} m)
    set_target_properties(hone_emulator_cublaslt PROPERTIES OUTPUT_NAME cublasLt VERSION 13 SOVERSION 13
        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/hone/emulator LINK_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/emulator.map)
    add_dependencies(hone_emulator hone_emulator_cublaslt)
    install(FILES $<TARGET_FILE:hone_emulator_cublaslt> DESTINATION ${CMAKE_INSTALL_LIBDIR}/hone/emulator
        RENAME libcublasLt.so.13)
endif()
# Tests see the same header.
include_directories(SYSTEM ${CUDA_INCLUDE})
