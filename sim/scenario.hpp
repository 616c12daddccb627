// Scripts with their expected traces: they document the state machines and are run as tests.
//
//   pool NODES CLIENTS [WHAT...]  first; WHAT: claims, tolerate=N
//   file NAME owner NODE        NAME is a file that NODE owns while all nodes are in
//   connect CLIENT NODE
//   open LABEL CLIENT FILE [r][w][d] [share=rwd] [lease=K:RWH | oplock=RWH] [durable|persistent]
//        [overwrite] [doc]
//   close LABEL | lock LABEL OFFSET+LENGTH[s] [wait] | unlock LABEL OFFSET+LENGTH[s]
//   read LABEL OFFSET | write LABEL OFFSET | ack LABEL RIGHTS | delete LABEL | rename LABEL
//   changed CLIENT DIRECTORY    one of its entries has
//   disconnect CLIENT | reclaim LABEL CLIENT
//   twin CLIENT OTHER           before it connects: it is OTHER, connected once more
//   end NODE | lose NODE | start NODE | hang NODE | wake NODE | split SIDE... | heal
//   wait MS                     any step is followed by 5 ms in which what it led to happens
//   # and empty lines are kept
//
// What happened is written below its step, indented by two spaces, without times.
#pragma once

#include <string>

namespace flotilla::sim {

/// Runs the script and compares; with `write` puts what happened into the file instead. Prints the
/// first difference, or what is wrong. True where there is nothing.
[[nodiscard]] bool run_scenario(const std::string& path, bool write);

}  // namespace flotilla::sim
