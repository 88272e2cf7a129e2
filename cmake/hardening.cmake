# What makes a slip harder to exploit, for every product: canaries on stacks, checked string functions, addresses that
# differ from start to start, tables of the dynamic linker that are read-only once it is done, no code on stacks.
# Binding every symbol at start (-z now) costs 0.2 ms of the 2 ms that `hone --version` takes.
include(CheckCCompilerFlag)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection)
    string(MAKE_C_IDENTIFIER "HAVE${flag}" known)
    check_c_compiler_flag(${flag} ${known})
    if(${known})
        add_compile_options(${flag})
    endif()
endforeach()

# Checked string functions need an optimising compiler, and hide from sanitizers what they would report.  Some
# distributions' compilers set a level of their own.
if(NOT CMAKE_C_FLAGS MATCHES "-fsanitize" AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()

# No one replaces libhone's functions one by one (-Bsymbolic-functions), so the compiler may inline them.
check_c_compiler_flag(-fno-semantic-interposition HAVE_no_semantic_interposition)
if(HAVE_no_semantic_interposition)
    add_compile_options(-fno-semantic-interposition)
endif()
add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
